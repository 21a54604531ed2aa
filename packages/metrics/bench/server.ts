// One variant of a server, in a process of its own: `server.ts <variant>`. Reports its CPU time over IPC.
import express from 'express'
import { variants } from './variants.js'

const [, , name] = process.argv as [string, string, string]
const answer = { id: 1, name: 'Ada Lovelace', text: 'x'.repeat(255) }

const app = express()
app.use(await variants[name]!())
app.use(
  '/v1',
  express.Router().get('/users/:id', (_req, res) => {
    res.json(answer)
  }),
)

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send!({ port: typeof address === 'object' ? address?.port : 0 })
})
process.on('message', () => process.send!({ cpu: process.cpuUsage() }))
process.on('disconnect', () => process.exit())
