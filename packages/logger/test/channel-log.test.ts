import { channel } from '@scale/core'
import { failureChannel, fatalChannel } from '@scale/errors'
import { breakerChannel, connectionErrorChannel } from '@scale/redis'
import { expect, it, onTestFinished } from 'vitest'
import { type ChannelLogOptions, logChannels, requestLogger } from '../src/index.js'
import type { Lines } from './support/lines.js'
import { ask, listen, recorded, untilLines } from './support/server.js'

function listening(options?: ChannelLogOptions): {
  lines: Lines
  flush: () => Promise<void>
  stop: () => void
} {
  const { lines, logger } = recorded({ level: 'debug' })
  const stop = logChannels(logger, options)
  onTestFinished(stop)
  return { lines, flush: () => logger.flush(), stop }
}

it('writes what the packages tell, at its level', async () => {
  const { lines, flush } = listening()
  breakerChannel.publish({ from: 'closed', to: 'open', cause: 'silent', node: '' })
  breakerChannel.publish({ from: 'open', to: 'closed', cause: 'answered', node: '' })
  connectionErrorChannel.publish({ error: new Error('connect ECONNREFUSED') })
  channel('scale:rate-limit:decision').publish({ limiter: 'login', refused: false })
  channel('scale:rate-limit:decision').publish({
    ...{ limiter: 'login', refused: true, shadow: false },
    decision: {
      policies: [
        { policy: 'burst', violated: true },
        { policy: 'day', violated: false },
      ],
    },
  })
  channel('scale:session:conflict').publish({ outcome: 'merged', keys: [] })
  channel('scale:cache:load').publish({
    cache: 'c',
    outcome: 'failed',
    durationMs: 3,
    error: new Error('no'),
  })
  channel('scale:cache:load').publish({ cache: 'c', outcome: 'stored', durationMs: 3 })
  channel('scale:cluster:worker').publish({
    level: 'warn',
    message: 'worker 2 ended',
    workerId: 2,
    state: 'exited',
    code: 1,
  })
  await flush()
  expect(lines.all.map(({ level, channel: name, msg }) => [level, name, msg])).toEqual([
    ['warn', 'scale:redis:breaker', 'Redis breaker changed'],
    ['info', 'scale:redis:breaker', 'Redis breaker changed'],
    ['warn', 'scale:redis:connection-error', 'Redis connection failed'],
    ['info', 'scale:rate-limit:decision', 'quota refused a request'],
    ['warn', 'scale:cache:load', 'cache load failed'],
    ['warn', 'scale:cluster:worker', 'worker 2 ended'],
  ])
  expect(lines.all).toMatchObject([
    { from: 'closed', to: 'open' },
    {},
    { err: { message: 'connect ECONNREFUSED', stack: expect.any(String) } },
    { limiter: 'login', policies: ['burst'] },
    { cache: 'c', err: { message: 'no' } },
    { workerId: 2, state: 'exited', code: 1 },
  ])
})

it('has written a fatal error when publishing returns', () => {
  const { lines } = listening()
  fatalChannel.publish({ error: new Error('the end'), origin: 'uncaughtException', willDrain: true })
  expect(lines.all).toMatchObject([{ level: 'fatal', msg: 'fatal error', err: { message: 'the end' } }])
})

it('writes a failure that came after the response, and leaves others to the line of their request', async () => {
  const { lines, flush } = listening()
  const failure = { error: new Error('late'), status: 500, code: 'X', method: 'GET', requestId: undefined }
  failureChannel.publish({ ...failure, outcome: 'answered' })
  failureChannel.publish({ ...failure, outcome: 'late' })
  await flush()
  expect(lines.all).toMatchObject([{ level: 'error', msg: 'failure after the response', code: 'X' }])
})

it('names the request that a message belongs to', async () => {
  const { lines, logger } = recorded()
  onTestFinished(logChannels(logger))
  const middleware = requestLogger({ logger })
  const port = await listen((req, res) =>
    middleware(req as never, res, () => {
      channel('scale:cache:store-error').publish({ cache: 'c', operation: 'read', error: new Error('away') })
      res.end()
    }),
  )
  const { headers } = await ask(port, '/')
  const [told, request] = await untilLines(lines, 2)
  expect(told).toMatchObject({ msg: 'cache store failed', request_id: headers['x-request-id'] })
  expect(told!.trace_id).toBe(request!.trace_id)
})

it('bounds the lines of a channel, and tells how many it left out', async () => {
  const { lines, flush } = listening({ maxLines: 2, windowMs: 20 })
  const tell = (n: number): void => {
    channel('scale:cache:store-error').publish({
      cache: `c${n}`,
      operation: 'read',
      error: new Error(String(n)),
    })
  }
  for (let n = 0; n < 10; n++) tell(n)
  await flush()
  expect(lines.all.map(({ cache }) => cache)).toEqual(['c0', 'c1'])
  const endsAt = performance.now() + 25
  while (performance.now() < endsAt);
  tell(10)
  await flush()
  expect(lines.all.at(-1)).toMatchObject({ cache: 'c10', suppressed: 8 })
})

it('takes further rules, switches rules off, and survives a message that a rule cannot read', async () => {
  const { lines, flush, stop } = listening({
    channels: {
      'scale:orders:shipped': ({ count }) => ({ level: 'info', message: 'shipped', fields: { count } }),
      'scale:session:revoked': false,
    },
  })
  channel('scale:orders:shipped').publish({ count: 3 })
  channel('scale:session:revoked').publish({ by: 'one', count: 1 })
  channel('scale:cache:load').publish(undefined)
  await flush()
  expect(lines.all).toMatchObject([{ channel: 'scale:orders:shipped', count: 3 }])
  stop()
  expect(channel('scale:orders:shipped').hasSubscribers).toBe(false)
})

it('refuses a channel without a rule', () => {
  const { logger } = recorded()
  expect(() => logChannels(logger, { channels: { 'scale:a:b': true as never } })).toThrow(
    /`channels` must be an object/,
  )
})
