import { errorHandler } from '@scale/errors'
import { validate } from '@scale/validate'
import express from 'express'
import Joi from 'joi' // 18 or later

const app = express()
app.use(express.json())
app.post(
  '/users',
  validate({
    body: Joi.object({
      name: Joi.string().min(2).required(),
      age: Joi.number().integer().default(18),
    }),
    status: 400,
  }),
  (req, res) => {
    res.status(201).json(req.valid.body)
  },
)
app.use(errorHandler())

export const server = app.listen(process.env.PORT ?? 3000)
