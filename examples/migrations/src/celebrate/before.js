import { celebrate, errors, Joi, Segments } from 'celebrate'
import express from 'express'

const app = express()
app.use(express.json())
app.post(
  '/users',
  celebrate({
    [Segments.BODY]: Joi.object({
      name: Joi.string().min(2).required(),
      age: Joi.number().integer().default(18),
    }),
  }),
  (req, res) => {
    res.status(201).json(req.body)
  },
)
app.use(errors())

export const server = app.listen(process.env.PORT ?? 3000)
