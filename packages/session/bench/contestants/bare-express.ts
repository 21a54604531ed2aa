import type { AddressInfo } from 'node:net'
import express from 'express'
import { ANSWER, ready } from './contestant.js'

const app = express()
app.get(['/read', '/write'], (_req, res) => {
  res.json(ANSWER)
})
const server = app.listen(0, '127.0.0.1', () => ready((server.address() as AddressInfo).port))
