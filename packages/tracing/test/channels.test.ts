import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'
import { createCache } from '@scale/cache'
import { channel, compose } from '@scale/core'
import { testRedis } from '@scale/devkit/redis-server'
import { rateLimit } from '@scale/rate-limit'
import { createRedis, whenReady } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import { policy } from '@scale/resilience'
import { session } from '@scale/session'
import { pool } from '@scale/workers'
import express from 'express'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { traceRules } from '../src/channels/rules.js'
import { traceChannels, tracing } from '../src/index.js'
import type * as Tasks from './fixtures/tasks.mjs'
import { ask, listen } from './support/server.js'
import { telemetry } from './support/telemetry.js'

const { server, spans, reset } = telemetry()
const tasks = new URL('./fixtures/tasks.mjs', import.meta.url)
let redis: RedisServer
let client: ReturnType<typeof createRedis>
let stop: () => void

beforeAll(async () => {
  redis = await testRedis()
  client = createRedis(redis.url)
  await whenReady(client, 10_000)
})
afterAll(async () => {
  client.disconnect()
  await redis.stop()
})
beforeEach(() => {
  stop = traceChannels()
})
afterEach(() => stop())

const named = (name: string): ReadableSpan[] => spans().filter((one) => one.name === name)
const parentOf = (span: ReadableSpan | undefined): string | undefined => span?.parentSpanContext?.spanId

/** True if one ends within the other; both clocks have whole ms. */
function isWithin(inner: ReadableSpan, outer: ReadableSpan): boolean {
  const ms = ([seconds, nanos]: [number, number]): number => seconds * 1_000 + nanos / 1e6
  return ms(inner.startTime) >= ms(outer.startTime) - 2 && ms(inner.endTime) <= ms(outer.endTime) + 2
}

describe('a request through sessions, quota and cache on Redis', () => {
  it('has spans for each of them, and for what Redis did, all below its own', async () => {
    const sessions = session({ redis: client, prefix: 'tracing' })
    const limiter = rateLimit({
      redis: client,
      prefix: 'tracing',
      name: 'api',
      policies: [{ name: 'burst', quota: 2, windowMs: 60_000 }],
    })
    const cache = createCache({ redis: client, prefix: 'tracing', name: 'profiles', ttlMs: 60_000 })
    const app = express()
    app.use(tracing())
    app.post('/login', sessions, async (req, res) => {
      await req.session.login('ann')
      res.end()
    })
    app.get('/profile', compose(sessions, limiter), async (req, res) => {
      res.json(await cache.getOrSet(String(req.query.key), async () => ({ name: 'Ann' })))
    })
    const port = await listen(app)
    const { headers } = await ask(port, '/login', {}, 'POST')
    const cookie = String(headers['set-cookie']).split(';')[0]!
    // Redis is told the scripts once.
    await ask(port, '/profile?key=other', { cookie })
    await vi.waitFor(() => expect(named('cache load profiles')).toHaveLength(1), { timeout: 10_000 })
    reset()

    expect((await ask(port, '/profile?key=ann', { cookie })).status).toBe(200)
    const request = await server()
    const { spanId } = request.spanContext()
    const [opened] = named('session')
    const [quota] = named('quota api')
    // Told once Redis has it, which nobody waits for.
    await vi.waitFor(() => expect(named('cache load profiles')).toHaveLength(1), { timeout: 10_000 })
    const [load] = named('cache load profiles')
    for (const [span, attributes] of [
      [opened, { 'scale.session.outcome': 'opened' }],
      [quota, { 'scale.rate_limit.refused': false, 'scale.rate_limit.limiter': 'api' }],
      [load, { 'scale.cache.outcome': 'stored' }],
    ] as const) {
      expect(parentOf(span)).toBe(spanId)
      expect(span!.kind).toBe(SpanKind.INTERNAL)
      expect(span!.attributes).toMatchObject(attributes)
    }
    for (const span of [opened, quota]) expect(isWithin(span!, request)).toBe(true)
    const operations = spans().filter(({ name }) => name.startsWith('redis '))
    expect(operations.length).toBeGreaterThanOrEqual(3)
    for (const operation of operations) {
      expect(operation.kind).toBe(SpanKind.CLIENT)
      expect(parentOf(operation)).toBe(spanId)
      expect(operation.attributes).toMatchObject({ 'db.system.name': 'redis', 'scale.redis.outcome': 'ok' })
    }
    const reads = request.events.filter(({ name }) => name === 'scale.cache.read')
    expect(reads.map(({ attributes }) => attributes)).toEqual([
      { 'scale.cache.cache': 'profiles', 'scale.cache.outcome': 'miss', 'scale.cache.collapsed': false },
    ])
    // Nothing of whom it was for.
    const text = JSON.stringify(spans().map(({ name, attributes, events }) => [name, attributes, events]))
    expect(text.toLowerCase()).not.toContain('ann')
    for (const part of cookie.split('=').slice(1)) expect(text).not.toContain(part)

    reset()
    expect((await ask(port, '/profile?key=ann', { cookie })).status).toBe(429)
    await server()
    expect(named('quota api')[0]!.attributes).toMatchObject({
      'scale.rate_limit.refused': true,
      'scale.rate_limit.violated': ['burst'],
    })
  })
})

it('a quota that Redis gives no answer about in time', async () => {
  const limiter = rateLimit({
    redis: client,
    prefix: 'silent',
    name: 'silent',
    policies: [{ name: 'burst', quota: 1, windowMs: 60_000 }],
    onStoreError: 'open',
  })
  const app = express()
  app.use(tracing(), limiter)
  app.get('/', (_req, res) => void res.end())
  const port = await listen(app)
  const other = createRedis(redis.url)
  await whenReady(other, 10_000)
  await other.call('CLIENT', 'PAUSE', '500', 'ALL')
  expect((await ask(port)).status).toBe(200)
  other.disconnect()
  const request = await server()
  expect(request.events).toContainEqual(
    expect.objectContaining({
      name: 'scale.rate_limit.store_error',
      attributes: {
        'scale.rate_limit.limiter': 'silent',
        'scale.rate_limit.operation': 'consume',
        'scale.rate_limit.on_store_error': 'open',
        'error.type': 'ERR_SCALE_REDIS_UNAVAILABLE',
      },
    }),
  )
  const [quota] = named('quota silent')
  expect(parentOf(quota)).toBe(request.spanContext().spanId)
  expect(quota!.attributes).toMatchObject({ 'scale.rate_limit.source': expect.not.stringMatching('store') })
})

it('a task on a thread, a call to another service, and what failed of them', async () => {
  const threads = pool<typeof Tasks>(tasks, { name: 'math', threads: 1 })
  await threads.ready()
  const billing = policy('billing')
  const app = express()
  app.use(tracing())
  app.get('/', async (_req, res) => {
    await threads.run('double', 21)
    await billing.run(() => Promise.resolve(1))
    await threads.run('fail', undefined).catch(() => {})
    await billing.run(() => Promise.reject(new Error('secret'))).catch(() => {})
    res.end()
  })
  await ask(await listen(app))
  await threads.close()
  const { spanId } = (await server()).spanContext()
  const below = spans().filter((span) => parentOf(span) === spanId)
  expect(below.map(({ name, status, attributes }) => [name, status.code, attributes['error.type']])).toEqual([
    ['task double', SpanStatusCode.UNSET, undefined],
    ['call billing', SpanStatusCode.UNSET, undefined],
    ['task fail', SpanStatusCode.ERROR, 'failed'],
    ['call billing', SpanStatusCode.ERROR, 'failed'],
  ])
  expect(JSON.stringify(below.map(({ attributes, events }) => [attributes, events]))).not.toContain('secret')
})

it("a job's run, below the span that is active there", async () => {
  const run = channel('scale:jobs:run')
  const job = { queue: 'mails', id: '7', outcome: 'ok', attempt: 1, durationMs: 5, error: undefined }
  const failed = { ...job, outcome: 'retry', error: new TypeError('secret') }
  trace.getTracer('test').startActiveSpan('worker', (worker) => {
    run.publish(job)
    run.publish(failed)
    worker.end()
  })
  run.publish(job)
  const [worker] = named('worker')
  const made = named('job mails')
  expect(made.map((span) => [parentOf(span), span.kind, span.attributes, span.status.code])).toEqual([
    [
      worker!.spanContext().spanId,
      SpanKind.CONSUMER,
      { 'scale.jobs.queue': 'mails', 'scale.jobs.outcome': 'ok', 'scale.jobs.attempt': 1 },
      SpanStatusCode.UNSET,
    ],
    [
      worker!.spanContext().spanId,
      SpanKind.CONSUMER,
      {
        'scale.jobs.queue': 'mails',
        'scale.jobs.outcome': 'retry',
        'scale.jobs.attempt': 1,
        'error.type': 'TypeError',
      },
      SpanStatusCode.ERROR,
    ],
  ])
})

describe('a message', () => {
  const operation = channel('scale:redis:operation')
  const message = { operation: 'get', outcome: 'ok', durationMs: 1 }

  it('outside a trace makes nothing', () => {
    operation.publish(message)
    expect(spans()).toEqual([])
  })

  it('within one that is not sampled makes nothing, and its rule is not asked', () => {
    let asked = 0
    const end = traceChannels({
      channels: {
        'scale:redis:operation': () => {
          asked++
          return undefined
        },
      },
    })
    const within = (traceFlags: number): void =>
      context.with(
        trace.setSpanContext(context.active(), {
          traceId: 'a'.repeat(32),
          spanId: 'b'.repeat(16),
          traceFlags,
        }),
        () => operation.publish(message),
      )
    within(0)
    expect(asked).toBe(0)
    expect(spans()).toEqual([])
    within(1)
    expect(asked).toBe(1)
    expect(spans()).toHaveLength(1)
    end()
  })

  it('has a rule of the app, or none; a rule that throws makes nothing', () => {
    stop()
    stop = traceChannels({
      channels: {
        'scale:redis:operation': false,
        'scale:orders:shipped': ({ count }) => ({ name: 'shipped', attributes: { count }, durationMs: 3 }),
        'scale:orders:lost': () => {
          throw new Error('no')
        },
      },
    })
    trace.getTracer('app').startActiveSpan('work', (span) => {
      operation.publish(message)
      channel('scale:orders:shipped').publish({ count: 2 })
      channel('scale:orders:lost').publish({})
      channel('scale:redis:operation').publish(null)
      span.end()
    })
    expect(spans().map(({ name, attributes }) => [name, attributes])).toEqual([
      ['shipped', { count: 2 }],
      ['work', {}],
    ])
  })

  it('of no known shape does no harm', () => {
    trace.getTracer('app').startActiveSpan('work', (span) => {
      for (const name of Object.keys(traceRules)) {
        for (const odd of [undefined, null, 1, 'x', {}, { error: null }, { durationMs: Number.NaN }]) {
          channel(name as `scale:${string}:${string}`).publish(odd)
        }
      }
      span.end()
    })
    expect(spans().some(({ name }) => name === 'work')).toBe(true)
  })
})

it('no channel of any package is forgotten', () => {
  const packages = fileURLToPath(new URL('../..', import.meta.url))
  const names = readdirSync(packages)
    .filter((name) => existsSync(join(packages, name, 'src')))
    .flatMap((name) =>
      readdirSync(join(packages, name, 'src'), { recursive: true, encoding: 'utf8' }).map((file) =>
        join(name, 'src', file),
      ),
    )
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) =>
      [
        ...readFileSync(join(packages, file), 'utf8').matchAll(/channel(?:<\w+>)?\(\s*'(scale:[\w:-]+)'/g),
      ].map(([, name]) => name!),
    )
  expect(names.length).toBeGreaterThan(40)
  /** Nothing of one request, or of any. */
  const ofTheProcess = new Set([
    'scale:config:reload',
    'scale:redis:connection-error',
    'scale:redis:invalidation',
    'scale:overload:limit',
    'scale:workers:thread',
    'scale:workers:utilization',
    'scale:errors:fatal',
    'scale:logger:dropped',
    'scale:config:reload',
    'scale:jobs:relay',
  ])
  const forgotten = names.filter((name) => !(name in traceRules) && !name.startsWith('scale:cluster:'))
  expect(new Set(forgotten)).toEqual(ofTheProcess)
})
