import { afterAll, beforeAll, expect, it } from 'vitest'
import { lostKeys, revivedSessions } from '../bench/races.js'
import { type Contestant, startContestant } from '../bench/start-contestant.js'
import { useRedis } from './redis.js'

// The same races as in the bench, where the peers run beside.

const redis = useRedis()
let pair: [Contestant, Contestant]

beforeAll(async () => {
  pair = (await Promise.all([
    startContestant('scale', redis.server.port),
    startContestant('scale', redis.server.port),
  ])) as typeof pair
})
afterAll(async () => {
  for (const contestant of pair ?? []) await contestant.stop()
})

it('200 parallel writers over two processes lose no key', async () => {
  expect(await lostKeys(pair, 200)).toBe(0)
})

it('no session comes back in 1,000 logouts raced against slow writers', { timeout: 60_000 }, async () => {
  expect(await revivedSessions(pair, 1_000)).toBe(0)
})
