import { createLogger, requestLogger } from '@scale/logger'
import express from 'express'

export const logger = createLogger({ format: 'json' })
const app = express()
app.use(requestLogger({ logger, headers: ['user-agent', 'referer'] }))

app.get('/orders/:id', (req, res) => {
  res.json({ id: req.params.id })
})

export const server = app.listen(process.env.PORT ?? 3000)
