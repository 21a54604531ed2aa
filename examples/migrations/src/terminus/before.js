import { createServer } from 'node:http'
import { createTerminus } from '@godaddy/terminus'
import express from 'express'

const app = express()
app.get('/slow', (_req, res) => {
  console.log('at work')
  setTimeout(() => res.json({ done: true }), 500)
})

const server = createServer(app)
createTerminus(server, {
  healthChecks: { '/readyz': async () => ({ database: 'fine' }) },
  signals: ['SIGTERM', 'SIGINT'],
  timeout: 10_000,
  onSignal: async () => console.log('database closed'),
})
server.listen(process.env.PORT ?? 3000)
