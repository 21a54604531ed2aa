import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { ANSWER, ready } from './contestant.js'

const app = fastify()
app.get('/read', async () => ANSWER)
app.get('/write', async () => ANSWER)
await app.listen({ port: 0, host: '127.0.0.1' })
ready((app.server.address() as AddressInfo).port)
