import express from 'express'
import pino from 'pino'
import { pinoHttp } from 'pino-http'

const app = express()
app.use(pinoHttp({ logger: pino({}, process.stdout) }))

app.get('/orders/:id', (req, res) => {
  req.log.info({ order: req.params.id }, 'looking it up')
  res.json({ id: req.params.id })
})
app.get('/broken', () => {
  throw new Error('the database is away')
})

export const server = app.listen(process.env.PORT ?? 3000)
