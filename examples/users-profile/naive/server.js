// What most tutorials show: sessions in a Map, a slow lookup on every request, one process.
// It works until there is a second copy. `node naive/server.js` starts it; test/naive.test.ts shows what breaks.
import { randomUUID } from 'node:crypto'
import express from 'express'

const users = new Map()
const sessions = new Map()

const app = express()
app.use(express.json())

app.post('/v1/users', (req, res) => {
  const user = { id: randomUUID(), role: 'user', ...req.body }
  users.set(user.email, user)
  res.status(201).json(user)
})

app.post('/v1/login', (req, res) => {
  const user = users.get(req.body.email)
  if (user?.password !== req.body.password) return res.status(401).json({ error: 'wrong e-mail or password' })
  const token = randomUUID()
  sessions.set(token, user)
  res.json({ token })
})

app.get('/v1/profile', async (req, res) => {
  const user = sessions.get(req.headers.authorization?.replace('Bearer ', ''))
  if (!user) return res.status(401).json({ error: 'log in first' })
  await new Promise((resolve) => setTimeout(resolve, 200)) // the join behind a profile, each time
  res.json(user)
})

const server = app.listen(process.env.PORT ?? 3000, () => {
  console.log(`http://127.0.0.1:${server.address().port}`)
})
