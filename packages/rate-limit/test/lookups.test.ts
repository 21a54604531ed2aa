import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { InvalidOption } from '@scale/core'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type LimitedRequest,
  type RateLimit,
  type RateLimitOptions,
  type RateLimitStoreErrorMessage,
  rateLimit,
  storeErrorChannel,
  user,
} from '../src/index.js'

// What an app looks up for a limit: a plan in a database, a user behind a key, whether a client is one of its own.

let limiters = 0
const seen: RateLimitStoreErrorMessage[] = []
const stop: (() => void)[] = []
afterEach(() => {
  for (const end of stop.splice(0)) end()
  seen.length = 0
})

const burst = { name: 'burst', quota: 2, windowMs: 600_000 }
const later = async <Value>(value: Value): Promise<Value> => value
const never = (): Promise<never> => new Promise(() => {})
const failing = (): Promise<never> => Promise.reject(new Error('the database is away'))

function limit(options: Partial<RateLimitOptions>): RateLimit {
  stop.push(storeErrorChannel.subscribe((message) => seen.push(message)))
  return rateLimit({ name: `lookups ${++limiters}`, policies: [burst], ...options })
}

/** What `next` is called with. */
function ask(limiter: RateLimit, ip = '192.0.2.1'): Promise<unknown> {
  const req = { headers: {}, socket: {}, ip, rawHeaders: [] } as unknown as LimitedRequest
  const res = { headersSent: true, writeHead() {}, setHeader() {}, once() {} } as unknown as ServerResponse
  return new Promise((resolve) => limiter(req, res, resolve))
}

describe('quota, partition and skip', () => {
  it('may come later', async () => {
    const limiter = limit({
      partitionKey: (req) => later(req.ip === '192.0.2.9' ? user('ann') : undefined),
      policies: [{ ...burst, quota: () => later(1) }],
      skip: (req) => later(req.ip === '192.0.2.8'),
    })
    expect(await ask(limiter, '192.0.2.9')).toBeUndefined()
    expect(await ask(limiter, '192.0.2.9')).toMatchObject({ status: 429 })
    expect(await ask(limiter, '192.0.2.1')).toBeUndefined()
    expect(await ask(limiter, '192.0.2.1')).toMatchObject({ status: 429 })
    for (let request = 0; request < 3; request++) expect(await ask(limiter, '192.0.2.8')).toBeUndefined()
    expect((await limiter.peek(user('ann'))).policies).toMatchObject([{ limit: 1, remaining: 0 }])
    await limiter.reset(user('ann'))
    expect(await ask(limiter, '192.0.2.9')).toBeUndefined()
    expect(limiter.bound()).toMatchObject([{ most: 1 }])
    expect(seen).toEqual([])
  })

  it('each at once or later decide the same', async () => {
    const way = fc.boolean()
    await fc.assert(
      fc.asyncProperty(
        way,
        way,
        way,
        fc.array(fc.constantFrom('a', 'b', 'own'), { maxLength: 12 }),
        async (...given) => {
          const [who, quota, skip, clients] = given
          const when = <Value>(isLater: boolean, value: Value) => (isLater ? later(value) : value)
          const make = (isLater: readonly [boolean, boolean, boolean]): RateLimit =>
            limit({
              partitionKey: (req) => when(isLater[0], user(req.ip!)),
              policies: [
                { ...burst, quota: () => when(isLater[1], 2) },
                { ...burst, name: 'more', quota: 3 },
              ],
              skip: (req) => when(isLater[2], req.ip === 'own'),
            })
          const [one, other] = [make([who, quota, skip]), make([false, false, false])]
          for (const client of clients)
            expect(Boolean(await ask(one, client))).toBe(Boolean(await ask(other, client)))
        },
      ),
      { numRuns: 50 },
    )
  })

  it.each([
    [{ partitionKey: () => later('ann' as never) }, /must be said by `address`/],
    [{ policies: [{ ...burst, quota: () => later(Number.NaN) }] }, /`quota` must be an integer/],
    [{ skip: () => later('yes' as never) }, /`skip` must return true or false/],
  ])('that come later and are none are errors: %j', async (wrong, message) => {
    const error = (await ask(limit(wrong))) as Error
    expect(error).toBeInstanceOf(InvalidOption)
    expect(error.message).toMatch(message)
  })
})

describe.each([
  ['that fails', failing],
  ['that never ends', never],
])('a look-up %s', (_, broken) => {
  const deadlineMs = 20

  it('closed: is 503, and reported', async () => {
    for (const options of [
      { partitionKey: broken },
      { policies: [{ ...burst, quota: broken }] },
    ] as Partial<RateLimitOptions>[]) {
      const limiter = limit({ onStoreError: 'closed', deadlineMs, ...options })
      expect(await ask(limiter)).toMatchObject({
        status: 503,
        code: 'ERR_SCALE_RATE_LIMIT_STORE_UNAVAILABLE',
        cause: expect.any(Error),
      })
    }
    expect(seen.map(({ operation, onStoreError }) => [operation, onStoreError])).toContainEqual([
      'lookup',
      'closed',
    ])
  })

  it('open: lets the request pass', async () => {
    const limiter = limit({ onStoreError: 'open', deadlineMs, policies: [{ ...burst, quota: broken }] })
    for (let request = 0; request < 3; request++) expect(await ask(limiter)).toBeUndefined()
    expect((await limiter.consume(user('ann'))).source).toBe('none')
  })

  it('local: counts by address, and with the quota that was known last', async () => {
    const byAddress = limit({ deadlineMs, partitionKey: broken })
    for (const expected of [false, false, true]) expect(Boolean(await ask(byAddress))).toBe(expected)

    const plans = new Map([
      ['192.0.2.1', 1],
      ['192.0.2.2', 3],
    ])
    let isAway = false
    const byPlan = limit({
      deadlineMs,
      policies: [{ ...burst, quota: (req) => (isAway ? broken() : later(plans.get(req?.ip ?? '')!)) }],
    })
    for (const ip of plans.keys()) expect(await ask(byPlan, ip)).toBeUndefined()
    isAway = true
    for (const [ip, quota] of plans) {
      for (let request = 1; request < quota; request++) expect(await ask(byPlan, ip)).toBeUndefined()
      expect(await ask(byPlan, ip)).toMatchObject({ status: 429 })
    }
    // Of whom nothing was known: as the one before.
    for (const expected of [false, false, false, true])
      expect(Boolean(await ask(byPlan, '192.0.2.3'))).toBe(expected)

    const unknown = limit({ deadlineMs, policies: [{ ...burst, quota: broken }] })
    for (let request = 0; request < 5; request++) expect(await ask(unknown)).toBeUndefined()
    expect(() => unknown.bound()).toThrow(/is a promise/)
  })

  it('skips nobody', async () => {
    const limiter = limit({ deadlineMs, skip: broken })
    for (const expected of [false, false, true]) expect(Boolean(await ask(limiter))).toBe(expected)
    expect(seen.map(({ operation }) => operation)).toEqual(['lookup', 'lookup', 'lookup'])
  })

  it('does not keep who is to be forgiven or refused from it', async () => {
    const limiter = limit({ deadlineMs, onStoreError: 'closed', policies: [{ ...burst, quota: broken }] })
    await limiter.penalize(user('ann'), { blockMs: 60_000 })
    await limiter.reset(user('ann'))
    expect(seen).toEqual([])
  })
})

it('a look-up that fails when nobody waits any more harms nobody', async () => {
  const unhandled: unknown[] = []
  const onUnhandled = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', onUnhandled)
  try {
    const limiter = limit({
      deadlineMs: 10,
      policies: [
        { ...burst, quota: () => sleep(30).then(failing) },
        {
          ...burst,
          name: 'wrong',
          quota: () => {
            throw new Error('at once')
          },
        },
      ],
    })
    expect(await ask(limiter)).toMatchObject({ message: 'at once' })
    await sleep(60)
    expect(unhandled).toEqual([])
  } finally {
    process.off('unhandledRejection', onUnhandled)
  }
})
