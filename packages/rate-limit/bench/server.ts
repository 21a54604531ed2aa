// One variant of a server, in a process of its own: `server.ts <variant> <redis url>`. Reports its CPU time over IPC.
import express, { type RequestHandler } from 'express'
import { variants } from './variants.js'

const [, , name, url] = process.argv as [string, string, string, string]
const app = express()
app.set('trust proxy', 1)
const handler: RequestHandler = (_req, res) => {
  res.json(body)
}
const body = { id: 1, name: 'Ada Lovelace', text: 'x'.repeat(255) }
app.get('/', ...(await variants[name]!(url)), handler)
app.use(((error, _req, res, _next) => {
  res.status(error.status ?? 500).json({ title: error.title, status: error.status })
}) satisfies express.ErrorRequestHandler)

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send!({ port: typeof address === 'object' ? address?.port : 0 })
})
process.on('message', () => process.send!({ cpu: process.cpuUsage() }))
process.on('disconnect', () => process.exit())
