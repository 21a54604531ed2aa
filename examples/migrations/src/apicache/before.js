import apicache from 'apicache'
import express from 'express'

let loads = 0
const app = express()

app.get('/catalogue', apicache.middleware('1 minute'), (req, res) => {
  req.apicacheGroup = 'catalogue'
  loads++
  res.json({ tea: 3, loads })
})
app.post('/catalogue', (_req, res) => {
  apicache.clear('catalogue')
  res.json({})
})

export const server = app.listen(process.env.PORT ?? 3000)
