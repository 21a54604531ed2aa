import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import express from 'express'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { session } from '../src/index.js'
import { type Answer, cookieOf, listen, type RunningApp } from './app.js'

// Renewal and its grace by the clock of a real Redis; idle and absolute ends are in stores/redis.test.ts.

const RENEW_AFTER_MS = 1_000
const GRACE_MS = 3_000

let server: RedisServer
let redis: ReturnType<typeof createRedis>
let app: RunningApp

beforeAll(async () => {
  server = await testRedis()
  redis = createRedis(server.url, { guard: { deadlineMs: 2_000 } })
  await whenReady(redis, 5_000)
  const sessions = session({ redis, renewAfterMs: RENEW_AFTER_MS, renewGraceMs: GRACE_MS })
  const routes = express().use(sessions)
  routes.post('/login', async (req, res) => {
    await req.session.login('ann')
    res.json({})
  })
  routes.get('/', (req, res) => {
    res.json({ user: req.session.userId ?? null })
  })
  app = await listen(routes)
})
afterAll(async () => {
  await app.close()
  redis.disconnect()
  await server.stop()
})

const read = (cookie: string): Promise<Answer> => app.send('GET', '/', { cookie })

it('replaces a token that is old enough, and lets the old one live until the new one was used, and for its grace', async () => {
  const first = cookieOf(await app.send('POST', '/login'))
  expect(cookieOf(await read(first))).toBe('')

  // The old token opens the session all the while; at some point the answer brings a new one.
  let second = ''
  await expect
    .poll(
      async () => {
        const answer = await read(first)
        second = cookieOf(answer)
        return [answer.body, second !== '']
      },
      { timeout: 10 * RENEW_AFTER_MS },
    )
    .toEqual([{ user: 'ann' }, true])
  expect(second).not.toBe(first)

  // Until then the old one is good for the same successor, as for a parallel request or a lost answer.
  const again = await read(first)
  expect([again.body, cookieOf(again)]).toEqual([{ user: 'ann' }, second])

  expect((await read(second)).body).toEqual({ user: 'ann' })
  await expect.poll(async () => (await read(first)).body, { timeout: 10 * GRACE_MS }).toEqual({ user: null })
})

it('keeps the session of whoever went on with the new token', async () => {
  let cookie = cookieOf(await app.send('POST', '/login'))
  const seen = new Set([cookie])
  await expect
    .poll(
      async () => {
        const answer = await read(cookie)
        expect(answer.body).toEqual({ user: 'ann' })
        cookie = cookieOf(answer) || cookie
        seen.add(cookie)
        return seen.size
      },
      { timeout: 20_000 },
    )
    .toBeGreaterThan(2)
})
