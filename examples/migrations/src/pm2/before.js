import express from 'express'

// pm2 start app.js --instances 2 --wait-ready; pm2 reload app
const app = express()
app.get('/', (_req, res) => {
  res.json({ pid: process.pid })
})
const server = app.listen(process.env.PORT ?? 3000, () => process.send?.('ready'))

process.on('SIGINT', () => server.close(() => process.exit()))
