import express from 'express'
import { body, matchedData, validationResult } from 'express-validator'

const app = express()
app.use(express.json())
app.post(
  '/users',
  body('email').isEmail().normalizeEmail(),
  body('age').optional().isInt({ min: 0 }).toInt(),
  (req, res) => {
    const result = validationResult(req)
    if (!result.isEmpty()) return res.status(400).json({ errors: result.array() })
    res.status(201).json(matchedData(req))
  },
)

export const server = app.listen(process.env.PORT ?? 3000)
