import cookieSession from 'cookie-session'
import express from 'express'

const app = express()
app.use(cookieSession({ name: 'session', keys: [process.env.SESSION_SECRET] }))

app.post('/login/:user', (req, res) => {
  req.session.user = req.params.user
  res.json({})
})
app.get('/me', (req, res) => {
  if (req.session.user === undefined) return res.sendStatus(401)
  res.json({ user: req.session.user })
})
app.post('/logout', (req, res) => {
  req.session = null
  res.json({})
})

export const server = app.listen(process.env.PORT ?? 3000)
