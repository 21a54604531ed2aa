// One variant of a server, in a process of its own: `server.ts <variant>`. Reports its CPU time over IPC.
import express, { type ErrorRequestHandler } from 'express'
import { variants } from './variants.js'

const [, , name] = process.argv as [string, string, string]
const onError: ErrorRequestHandler = (error, _req, res, _next) => {
  res.status(error.status ?? 500).json({ code: error.code, ...error.extensions })
}
const answer = { id: 1, name: 'Ada Lovelace', text: 'x'.repeat(255) }

const app = express()
app.use(express.json())
app.post('/users/:id', await variants[name]!(), (_req, res) => {
  res.json(answer)
})
app.use(onError)

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send!({ port: typeof address === 'object' ? address?.port : 0 })
})
process.on('message', () => process.send!({ cpu: process.cpuUsage() }))
process.on('disconnect', () => process.exit())
