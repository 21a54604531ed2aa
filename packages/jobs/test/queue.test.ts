import { type RequestContext, requestContext, runInRequestContext } from '@scale/core'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { backoffMs } from '../src/backoff.js'
import { InvalidJob, type JobQueue, JobRefused, queue, type RunMessage, runChannel } from '../src/index.js'

const connected = async ({ url }: RedisServer) => {
  const client = createRedis(url)
  expect(await whenReady(client, 20_000)).toBe(true)
  return client
}

let server: RedisServer
let redis: ReturnType<typeof createRedis>
beforeAll(async () => {
  server = await testRedis()
  redis = await connected(server)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const Mail = z.object({
  to: z.string(),
  at: z.iso
    .datetime()
    .optional()
    .transform((text) => text && new Date(text)),
})
let count = 0
const newName = (): string => `queue-${process.pid}-${count++}`

describe.each(['BullMQ', 'memory'])('a queue in %s', (kind) => {
  const open = (changes: object = {}): JobQueue<typeof Mail> =>
    queue(newName(), { ...(kind === 'BullMQ' && { redis }), schema: Mail, ...changes })
  const until = (condition: () => unknown) => expect.poll(condition, { timeout: 20_000 })

  it('gives whoever runs a job what the schema makes of it', async () => {
    const mails = open()
    const ran: unknown[] = []
    mails.work((mail, { attempt, id }) => ran.push([mail, attempt, id]))
    const id = await mails.add({ to: 'ada', at: '2026-01-02T03:04:05Z' })
    await until(() => ran).toEqual([[{ to: 'ada', at: new Date('2026-01-02T03:04:05Z') }, 1, id]])
    await mails.close()
  })

  it('refuses what the schema does not take, what JSON cannot say, and what is too much, without a word of it', async () => {
    const mails = open({ maxDataBytes: 1_000 })
    const circle: { to: unknown } = { to: undefined }
    circle.to = circle
    for (const wrong of [{ to: 7 }, {}, undefined, { to: 1n }, circle, { to: 'hunter2'.repeat(200) }]) {
      const error = await mails.add(wrong as never).catch((thrown: Error) => thrown)
      expect(error).toBeInstanceOf(InvalidJob)
      expect(String(error)).not.toContain('hunter2')
    }
    expect(await mails.counts()).toEqual({ waiting: 0, delayed: 0, running: 0, dead: 0 })
    await mails.close()
  })

  it('adds one job of a key, also when it was done', async () => {
    const mails = open()
    const ran: string[] = []
    mails.work(({ to }) => ran.push(to))
    const key = `welcome: ada@example.org\n${'x'.repeat(1_000)}`
    const ids = await Promise.all([1, 2, 3].map(() => mails.add({ to: 'ada' }, { key })))
    await until(() => ran).toEqual(['ada'])
    ids.push(await mails.add({ to: 'eve' }, { key }))
    await mails.add({ to: 'last' }, { key: 'another' })
    await until(() => ran).toEqual(['ada', 'last'])
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).not.toContain('ada')
    await mails.close()
  })

  it('knows which jobs are dead, and brings them back', async () => {
    const mails = open({ attempts: 2, backoffMs: 1 })
    let isBroken = true
    const ran: string[] = []
    mails.work(({ to }) => {
      if (isBroken && to === 'refused') throw new JobRefused('nobody lives there')
      if (isBroken) throw new Error('no route')
      ran.push(to)
    })
    const refused = await mails.add({ to: 'refused' })
    const failed = await mails.add({ to: 'failed' })
    await until(async () => (await mails.counts()).dead).toBe(2)
    expect([...(await mails.dead())].sort((a, b) => a.attempts - b.attempts)).toEqual([
      {
        id: refused,
        data: { to: 'refused' },
        attempts: 1,
        diedAt: expect.any(Date),
        reason: 'nobody lives there',
      },
      { id: failed, data: { to: 'failed' }, attempts: 2, diedAt: expect.any(Date), reason: 'no route' },
    ])
    isBroken = false
    expect(await mails.retryDead([refused])).toBe(1)
    expect(await mails.retryDead()).toBe(1)
    await until(() => ran.sort()).toEqual(['failed', 'refused'])
    await mails.close()
  })

  it('tells of each run', async () => {
    const mails = open({ attempts: 2, backoffMs: 1 })
    const messages: RunMessage[] = []
    const stop = runChannel.subscribe((message) => message.queue === mails.name && messages.push(message))
    const error = new Error('no route')
    mails.work((_mail, { attempt, id }) => {
      if (attempt === 1 || id === bad) throw error
    })
    const bad = await mails.add({ to: 'bad' }, { delayMs: 50 })
    const good = await mails.add({ to: 'good' })
    await until(() => messages.length).toBe(4)
    const of = (id: string) =>
      messages
        .filter((message) => message.id === id)
        .map(({ outcome, attempt, error }) => [outcome, attempt, error])
    expect(of(good)).toEqual([
      ['retry', 1, error],
      ['ok', 2, undefined],
    ])
    expect(of(bad)).toEqual([
      ['retry', 1, error],
      ['dead', 2, error],
    ])
    stop()
    await mails.close()
  })

  it('runs a job in the trace of the request that has added it, and in one of its own without a request', async () => {
    const mails = open()
    const found = new Map<string, RequestContext | undefined>()
    mails.work(async ({ to }) => {
      await Promise.resolve()
      found.set(to, requestContext())
    })
    const context = { requestId: 'request-1', traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true }
    await runInRequestContext(context, () => mails.add({ to: 'traced' }))
    const id = await mails.add({ to: 'alone' })
    await until(() => found.size).toBe(2)
    expect(found.get('traced')).toEqual({
      ...context,
      spanId: expect.stringMatching(/^(?!b)[\da-f]{16}$|^b(?!b{15})/),
    })
    expect(found.get('alone')).toEqual({
      requestId: id,
      traceId: expect.stringMatching(/^[\da-f]{32}$/),
      spanId: expect.stringMatching(/^[\da-f]{16}$/),
      sampled: false,
    })
    await mails.close()
  })

  it('is drained: what runs ends, and what is told to leave hears of it', async () => {
    const mails = open()
    let aborted = false
    let isRunning = false
    mails.work(async (_mail, { signal }) => {
      isRunning = true
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      aborted = true
    })
    await mails.add({ to: 'ada' })
    await until(() => isRunning).toBe(true)
    await mails.close({ signal: AbortSignal.timeout(20) })
    expect(aborted).toBe(true)
    await expect(mails.add({ to: 'eve' })).rejects.toMatchObject({
      status: 503,
      code: 'ERR_SCALE_QUEUE_CLOSED',
    })
    expect(() => mails.work(() => undefined)).toThrow(/closed/)
  })
})

describe('a queue in Redis', () => {
  it('keeps nothing of what a done job said', async () => {
    const name = newName()
    const mails = queue(name, { redis, schema: Mail })
    let runs = 0
    mails.work(() => void runs++)
    const id = await mails.add({ to: 'a secret' }, { key: 'k' })
    await expect.poll(() => redis.hget(`scale:jobs:1:{${name}}:${name}:${id}`, 'data')).toBe('""')
    expect(runs).toBe(1)
    await mails.close()
  })

  it('gives a job of a process that is silent to another one', async () => {
    const name = newName()
    const options = { schema: Mail, lockMs: 200 }
    const [first, second] = [await connected(server), await connected(server)]
    const dying = queue(name, { ...options, redis: first })
    let isTaken = false
    const worker = dying.work(() => {
      isTaken = true
      return new Promise(() => undefined)
    })
    await dying.add({ to: 'ada' })
    await expect.poll(() => isTaken).toBe(true)
    await worker.close({ signal: AbortSignal.abort() })
    const other = queue(name, { ...options, redis: second })
    const ran: number[] = []
    other.work((_mail, { attempt }) => ran.push(attempt))
    // A crash is no attempt.
    await expect.poll(() => ran, { timeout: 20_000 }).toEqual([1])
    await other.close()
    first.disconnect()
    second.disconnect()
  })

  it('ends by its deadline when Redis is away, and goes on when it is back', async () => {
    const own = await testRedis()
    const client = await connected(own)
    const mails = queue(newName(), { redis: client, schema: Mail })
    const ran: string[] = []
    mails.work(({ to }) => ran.push(to))
    await mails.add({ to: 'before' })
    await expect.poll(() => ran).toEqual(['before'])
    await own.kill()
    const startedAt = performance.now()
    for (let i = 0; i < 3; i++) {
      await expect(mails.add({ to: 'lost' })).rejects.toMatchObject({
        status: 503,
        code: 'ERR_SCALE_REDIS_UNAVAILABLE',
      })
    }
    expect(performance.now() - startedAt).toBeLessThan(10_000)
    await own.restart()
    await expect
      .poll(() => mails.add({ to: 'after' }, { key: 'after' }).catch(() => undefined), { timeout: 20_000 })
      .toBeTypeOf('string')
    await expect.poll(() => ran, { timeout: 30_000 }).toContain('after')
    await mails.close()
    client.disconnect()
    await own.stop()
  })

  it('can be opened before there is a Redis', async () => {
    const own = await testRedis()
    await own.kill()
    const client = createRedis(own.url)
    const mails = queue(newName(), { redis: client, schema: Mail })
    const ran: string[] = []
    mails.work(({ to }) => ran.push(to))
    await expect(mails.add({ to: 'early' })).rejects.toMatchObject({ status: 503 })
    await own.restart()
    await expect
      .poll(() => mails.add({ to: 'ada' }, { key: 'k' }).catch(() => undefined), { timeout: 20_000 })
      .toBeTypeOf('string')
    await expect.poll(() => ran, { timeout: 30_000 }).toContain('ada')
    await mails.close()
    client.disconnect()
    await own.stop()
  })
})

describe('options', () => {
  it('are checked', () => {
    const prefixed = new Redis(server.url, { keyPrefix: 'app:', lazyConnect: true })
    expect(() => queue('mails', { schema: Mail, redis: prefixed })).toThrow(/without `keyPrefix`/)
    expect(() => queue('a:b', { schema: Mail })).toThrow(/the name must be/)
    expect(() => queue('mails', {} as never)).toThrow(/`schema` is required/)
    expect(() => queue('mails', { schema: Mail, atempts: 3 } as never)).toThrow(/Did you mean `attempts`/)
  })

  it('want Redis where several processes are likely', () => {
    const before = process.env.NODE_ENV
    process.env.NODE_ENV = 'production'
    try {
      expect(() => queue('mails', { schema: Mail })).toThrow(/no `redis` was given/)
      expect(queue('mails', { schema: Mail, allowMemoryStore: true }).name).toBe('mails')
    } finally {
      process.env.NODE_ENV = before
    }
  })
})

it('a pause is twice as long each time, up to a bound, and at most half of it is left to chance', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2_000 }),
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, firstMs, random) => {
        const maxMs = 60_000
        const ms = backoffMs(failures, { firstMs, maxMs }, random)
        const whole = Math.min(maxMs, firstMs * 2 ** (failures - 1))
        expect(ms).toBeGreaterThanOrEqual(whole / 2)
        expect(ms).toBeLessThanOrEqual(Math.ceil(whole))
      },
    ),
  )
})
