import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RateLimit, rateLimit } from '../src/index.js'

// A server without Express, so that every way to write a head is seen as Node has it.

let answer: (res: ServerResponse) => void
let limiter: RateLimit
const server = createServer((req, res) => {
  Object.assign(req, { ip: '192.0.2.1' })
  limiter(req, res, (error) => {
    if (error === undefined) answer(res)
    else res.writeHead(429).end()
  })
})
const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

let limiters = 0
const make = (quota: number): RateLimit =>
  rateLimit({ name: `announcer ${++limiters}`, policies: [{ name: 'p', quota, windowMs: 600_000 }] })

type Fields = Record<string, string>
const ways: Record<string, (res: ServerResponse, fields: Fields) => void> = {
  'set before': (res, fields) => {
    for (const [name, value] of Object.entries(fields)) res.setHeader(name, value)
    res.end('{}')
  },
  'set before, and written by a stream': (res, fields) => {
    for (const [name, value] of Object.entries(fields)) res.setHeader(name, value)
    res.write('{')
    res.end('}')
  },
  'sent at once': (res, fields) => {
    for (const [name, value] of Object.entries(fields)) res.setHeader(name, value)
    res.flushHeaders()
    res.end('{}')
  },
  'given with the head': (res, fields) => res.writeHead(200, fields).end('{}'),
  'given with the head and a reason': (res, fields) => res.writeHead(200, 'Fine', fields).end('{}'),
  'given as one list': (res, fields) => res.writeHead(200, Object.entries(fields).flat()).end('{}'),
}

describe.each(Object.entries(ways))('fields %s', (_, write) => {
  it.each<[kept: boolean, fields: Fields]>([
    [false, {}],
    [false, { 'Cache-Control': 'no-store' }],
    [false, { 'Cache-Control': 'no-store, max-age=60' }],
    [false, { 'Cache-Control': 'public, no-store' }],
    [false, { 'Cache-Control': 'no-cache' }],
    [false, { 'Cache-Control': 'private, max-age=0' }],
    [false, { 'Cache-Control': 'max-age=00' }],
    [false, { 'Cache-Control': 'no-store', Expires: 'Thu, 01 Jan 2099 00:00:00 GMT' }],
    [true, { 'Cache-Control': 'public' }],
    [true, { 'cache-control': 'PUBLIC' }],
    [true, { 'Cache-Control': 'max-age=1' }],
    [true, { 'Cache-Control': 'max-age="60"' }],
    [true, { 'Cache-Control': 'private, max-age=05' }],
    [true, { 'Cache-Control': 'max-age=0, s-maxage=60' }],
    [true, { Expires: 'Thu, 01 Jan 2099 00:00:00 GMT' }],
    [true, { age: '7' }],
  ])('a cache may keep it: %s for %j', async (kept, fields) => {
    limiter = make(10)
    answer = (res) => write(res, fields)
    const { headers } = await fetch(url())
    expect(headers.get('ratelimit')).toBe(kept ? null : '"p";r=9;t=600')
    expect(headers.get('ratelimit-policy')).toBe(kept ? null : '"p";q=10;w=600')
    for (const [name, value] of Object.entries(fields)) expect(headers.get(name)).toBe(value)
  })
})

it('a refusal says when to come back, whatever the error handler does', async () => {
  limiter = make(0)
  const refused = await fetch(url())
  expect(refused.status).toBe(429)
  expect(refused.headers.has('retry-after')).toBe(false)
  limiter = make(1)
  answer = (res) => res.end()
  await fetch(url())
  const { headers } = await fetch(url())
  expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(590)
})
