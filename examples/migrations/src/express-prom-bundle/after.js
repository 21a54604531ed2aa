import { httpMetrics, metricsHandler } from '@scale/metrics'
import express from 'express'

const app = express()
app.use(httpMetrics({ preset: 'legacy' }))
app.get('/metrics', metricsHandler())

app.get('/orders/:id', (req, res) => {
  res.json({ id: req.params.id })
})

export const server = app.listen(process.env.PORT ?? 3000)
