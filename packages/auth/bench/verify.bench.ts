import { createPublicKey } from 'node:crypto'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RequestHandler } from 'express'
import { expressjwt } from 'express-jwt'
import { accessToken, localKeys, revocation } from '../src/index.js'
import { AUDIENCE, goodClaims, ISSUER, mint, testKey } from '../test/tokens.js'

// CPU of one verified request: the middleware alone, on a request that Node might have parsed. All contestants take turns
// in one run, so that what else happens on the machine meets all of them. Ratios count, not microseconds.

const ROUNDS = 12
const REQUESTS = 1_000

type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

const now = Math.floor(Date.now() / 1_000)
const server = await testRedis()
const redis = createRedis(server.url, { guard: { deadlineMs: 5_000 } })
await whenReady(redis, 5_000)

function requestOf(token: string): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  req.headers = { authorization: `Bearer ${token}` }
  req.rawHeaders = ['Authorization', `Bearer ${token}`]
  return req
}

/** CPU of this process for one round, in µs per request, ten at a time as under load. */
async function costOf(middleware: Middleware, token: string): Promise<number> {
  const startedAt = process.cpuUsage()
  for (let i = 0; i < REQUESTS; i += 10) {
    await Promise.all(
      Array.from({ length: 10 }, () => {
        const req = requestOf(token)
        return new Promise<void>((resolve, reject) => {
          middleware(req, new ServerResponse(req), (error) =>
            error === undefined ? resolve() : reject(error),
          )
        })
      }),
    )
  }
  const { user, system } = process.cpuUsage(startedAt)
  return (user + system) / REQUESTS
}

interface Row {
  algorithm: string
  name: string
  middleware: Middleware
  token: string
  costs: number[]
}

const rows: Row[] = []
const nothing: Middleware = (_req, _res, next) => next()
for (const algorithm of ['EdDSA', 'ES256', 'RS256'] as const) {
  const key = testKey(algorithm, 'k')
  const token = await mint({ key, claims: { ...goodClaims(), iat: now, exp: now + 3_600 } })
  const trust = { issuer: ISSUER, audience: AUDIENCE, algorithms: [algorithm], keys: localKeys(key.jwk) }
  const add = (name: string, middleware: Middleware): void => {
    rows.push({ algorithm, name, middleware, token, costs: [] })
  }
  add('nothing', nothing)
  add('@scale/auth', accessToken(trust))
  add('@scale/auth, revocation in memory', accessToken({ ...trust, revocation: revocation() }))
  add('@scale/auth, revocation in Redis', accessToken({ ...trust, revocation: revocation({ redis }) }))
  // jsonwebtoken, on which it stands, knows no EdDSA.
  if (algorithm !== 'EdDSA') {
    const peer: RequestHandler = expressjwt({
      secret: createPublicKey(key.privateKey),
      algorithms: [algorithm],
      issuer: ISSUER,
      audience: AUDIENCE,
    })
    add('express-jwt', peer as unknown as Middleware)
  }
}

for (const row of rows) await costOf(row.middleware, row.token)
for (let round = 0; round < ROUNDS; round++) {
  for (const row of rows) row.costs.push(await costOf(row.middleware, row.token))
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
for (const algorithm of ['EdDSA', 'ES256', 'RS256']) {
  const own = rows.filter((row) => row.algorithm === algorithm)
  const base = median(own[0]!.costs)
  const unit = median(own[1]!.costs) - base
  process.stdout.write(`\n${algorithm}: CPU per verified request beyond that of the request itself\n`)
  for (const { name, costs } of own.slice(1)) {
    const micros = median(costs) - base
    process.stdout.write(
      `  ${name.padEnd(36)} ${micros.toFixed(0).padStart(5)} µs  ${(micros / unit).toFixed(2)}\n`,
    )
  }
}
redis.disconnect()
await server.stop()
