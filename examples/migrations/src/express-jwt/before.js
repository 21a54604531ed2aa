import express from 'express'
import { expressjwt } from 'express-jwt'

const app = express()
app.use(
  expressjwt({
    secret: process.env.JWT_SECRET,
    algorithms: ['HS256'],
    issuer: 'https://login.example/',
    audience: 'https://api.example',
  }),
)
app.get('/me', (req, res) => {
  res.json({ user: req.auth.sub })
})
app.use((error, _req, res, _next) => {
  res.status(error.status ?? 500).json({ message: error.message })
})

export const server = app.listen(process.env.PORT ?? 3000)
