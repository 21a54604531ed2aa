import { createRedis, whenReady } from '@scale/redis'
import express from 'express'
import { accessToken, dpop, localKeys } from '../../src/index.js'
import { listen } from '../app.js'
import { options } from '../tokens.js'
import { BASE_URL } from './proofs.js'

// A process of its own that serves `/orders` to clients with proofs: `resource-server.ts REDIS-URL JWK`. Tells its address.

const [redisUrl, jwk] = process.argv.slice(2) as [string, string]
const redis = createRedis(redisUrl, { guard: { deadlineMs: 5_000 } })
await whenReady(redis, 5_000)
const proofs = dpop({ redis, baseUrl: BASE_URL })
const tokens = accessToken(options({ keys: localKeys(JSON.parse(jwk)), dpop: proofs, clock: Date.now }))
const { url } = await listen(express().get('/orders', tokens, (_req, res) => void res.sendStatus(204)))
process.send!(url)
