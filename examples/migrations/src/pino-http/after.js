import { errorHandler } from '@scale/errors'
import { createLogger, log, requestLogger } from '@scale/logger'
import express from 'express'

export const logger = createLogger({ format: 'json' })
const app = express()
app.use(requestLogger({ logger }))

app.get('/orders/:id', (req, res) => {
  log().info({ order: req.params.id }, 'looking it up')
  res.json({ id: req.params.id })
})
app.get('/broken', () => {
  throw new Error('the database is away')
})
app.use(errorHandler())

export const server = app.listen(process.env.PORT ?? 3000)
