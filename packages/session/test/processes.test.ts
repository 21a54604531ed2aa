import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FaultProxy, startFaultProxy } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Copy, type Place, startCopies } from './copies/start-copies.js'
import { useRedis } from './redis.js'

// An app in four processes behind a round robin, each with a way of its own to Redis.

const redis = useRedis()
const proxies: FaultProxy[] = []
let copies: Copy[] = []

beforeAll(async () => {
  for (let i = 0; i < 4; i++) proxies.push(await startFaultProxy({ target: redis.server }))
  copies = await startCopies(proxies.map(({ url }) => url))
}, 60_000)
afterAll(async () => {
  for (const copy of copies) await copy.stop()
  for (const proxy of proxies) await proxy.close()
})

/** The way to Redis of each process, in turn. */
async function delay(...latencies: number[]): Promise<void> {
  for (const [i, proxy] of proxies.entries()) await proxy.set({ latencyMs: latencies[i % latencies.length]! })
}

async function loggedIn(place: Place): Promise<{ cookie: string }> {
  const { cookies } = await copies[0]!.send('POST', `/${place}/login`, {}, { user: 'ann' })
  return { cookie: cookies[0]!.split(';')[0]! }
}

const dataOf = async (place: Place, headers: { cookie: string }): Promise<Record<string, object>> =>
  ((await copies[0]!.send('GET', `/${place}`, headers)).body as { data: Record<string, object> }).data

describe('one client that waits for each answer', () => {
  it.each([
    [2, [0]],
    [2, [20, 5]],
    [4, [0]],
    [4, [20, 0, 10, 5]],
  ])(
    'has 60 of 60 in its cart, on %i processes with %j ms to Redis',
    { timeout: 60_000 },
    async (count, ms) => {
      await delay(...ms)
      const headers = await loggedIn('plain')
      for (let i = 0; i < 60; i++) {
        expect((await copies[i % count]!.send('POST', `/plain/cart/${i}`, headers)).body).toBe(i + 1)
      }
      expect(await dataOf('plain', headers)).toEqual({
        cart: Array.from({ length: 60 }, (_, i) => String(i)),
      })
    },
  )
})

describe('100 parallel writers of one object', () => {
  it.each(['plain', 'sealed', 'schema'] as const)(
    '%s: all of them are there',
    { timeout: 60_000 },
    async (place) => {
      await delay(0, 1, 2, 5)
      const headers = await loggedIn(place)
      const names = Array.from({ length: 100 }, (_, i) => `k${i}`)
      const answers = await Promise.all(
        names.map((name, i) => copies[i % 4]!.send('POST', `/${place}/member/${name}`, headers)),
      )
      expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(200))
      expect(Object.keys((await dataOf(place, headers)).o!).sort()).toEqual(names.sort())
    },
  )
})

describe('an answer of two calls, for the head and for the body', () => {
  const LATER = { 'x-now': String(1_800_000_000_000 + 7_200_000), 'x-in-parts': 'yes' }
  const begin = async (): Promise<{ cookie: string }> => {
    const now = { 'x-now': '1800000000000' }
    const { cookies } = await copies[0]!.send('POST', '/lives/login', now, { user: 'ann' })
    return { cookie: cookies[0]!.split(';')[0]! }
  }

  it('is given to a client that has gone while its token was to be renewed, and to the next', async () => {
    const headers = { ...LATER, ...(await begin()) }
    const sent = request(`${copies[0]!.url}/lives?leaves=parts`, { agent: false, headers })
    sent.on('error', () => {})
    sent.end()
    const reaches = (what: string) =>
      expect.poll(async () => (await copies[0]!.handled()).includes(what), { timeout: 10_000 }).toBe(true)
    await reaches('parts')
    sent.destroy()
    await reaches('parts done')
    expect((await copies[0]!.send('GET', '/lives', headers)).body).toMatchObject({ user: 'ann' })
  })
})

/** Where in a request its client leaves: after a share of what it has to send, or some ms after all of it. */
type Leaving = { sent: number } | { afterMs: number } | 'never'

/** @returns whether the client has read that it is stored */
async function leave(url: string, headers: { cookie: string }, leaving: Leaving): Promise<boolean> {
  const body = JSON.stringify({ padding: 'x'.repeat(1_000) })
  const sent = request(url, {
    method: 'POST',
    agent: false,
    headers: { ...headers, 'content-type': 'application/json', 'content-length': body.length },
  })
  let text = ''
  sent.on('response', (res) => {
    res.on('error', () => {})
    res.on('data', (chunk) => {
      text += chunk
    })
  })
  sent.on('error', () => {})
  const closed = new Promise((resolve) => sent.once('close', resolve))
  const share = typeof leaving === 'object' && 'sent' in leaving ? leaving.sent : 1
  const part = body.slice(0, body.length * share)
  // Handed over to the system, which delivers it.
  await new Promise<void>((resolve) => {
    if (share === 1) sent.end(part, resolve)
    else sent.write(part, () => resolve())
  })
  if (leaving !== 'never') {
    if ('afterMs' in leaving) await sleep(leaving.afterMs)
    sent.destroy()
  }
  await closed
  return text.includes('stored')
}

describe('clients that leave at every point of a request', () => {
  it.each(['plain', 'schema'] as const)(
    '%s: what a handler has set is stored',
    { timeout: 60_000 },
    async (place) => {
      await delay(0, 5, 10, 20)
      await Promise.all(copies.map((copy) => copy.handled()))
      const headers = await loggedIn(place)
      const points: Leaving[] = [
        'never',
        ...[0, 0.5, 0.99].map((sent) => ({ sent })),
        ...Array.from({ length: 36 }, (_, i) => ({ afterMs: i * 2 })),
      ]
      const outcomes = await Promise.all(
        Array.from({ length: 4 * points.length }, async (_, i) => {
          const name = `k${i}`
          const url = `${copies[i % 4]!.url}/${place}/member/${name}?ms=${i % 10}`
          const isAcknowledged = await leave(url, headers, points[Math.floor(i / 4)]!)
          return { name, isAcknowledged }
        }),
      )
      const acknowledged = outcomes.filter((one) => one.isAcknowledged).map(({ name }) => name)
      const stored = async (): Promise<string[]> => Object.keys((await dataOf(place, headers)).o ?? {}).sort()
      expect(await stored()).toEqual(expect.arrayContaining(acknowledged))
      // Some handlers still wait for the session that they write to.
      const handled: string[] = []
      await expect
        .poll(
          async () => {
            for (const copy of copies) handled.push(...(await copy.handled()))
            return (await stored()).join() === handled.sort().join()
          },
          { timeout: 20_000 },
        )
        .toBe(true)
      expect(handled).toEqual(expect.arrayContaining(acknowledged))
      expect(acknowledged.length).toBeGreaterThanOrEqual(4)
      // Clients that left before they had said everything are no requests.
      expect(handled.length).toBeLessThan(outcomes.length)
      expect(handled.length).toBeGreaterThan(acknowledged.length)
    },
  )
})
