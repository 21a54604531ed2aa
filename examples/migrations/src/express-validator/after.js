import { errorHandler } from '@scale/errors'
import { validate } from '@scale/validate'
import express from 'express'
import { z } from 'zod'

const NewUser = z.object({
  email: z.email().toLowerCase(),
  age: z.coerce.number().int().min(0).optional(),
})

const app = express()
app.use(express.json())
app.post('/users', validate({ body: NewUser, status: 400 }), (req, res) => {
  res.status(201).json(req.valid.body)
})
app.use(errorHandler())

export const server = app.listen(process.env.PORT ?? 3000)
