import { setTimeout as sleep } from 'node:timers/promises'
import { testRedis } from '@scale/devkit/redis-server'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type BreakerMessage,
  breakerChannel,
  createRedis,
  defineScript,
  guardDefaults,
  lateReplyChannel,
  type OperationOptions,
  type StoreGuard,
  storeGuard,
} from '../../src/index.js'
import { type FaultProxy, type RedisServer, startFaultProxy } from '../../src/testing/index.js'
import { bothClients, type GuardedClient } from './clients.js'
import { eventually, type Outcome, outcomeOf, PATIENT, traffic } from './traffic.js'

let server: RedisServer
let proxy: FaultProxy
let clients: GuardedClient[]

beforeEach(async () => {
  server = await testRedis({ args: ['--enable-debug-command', 'local'] })
  proxy = await startFaultProxy({ target: server })
  clients = bothClients(proxy.url)
  for (const { guard } of clients) await eventually(() => expect(guard.available()).toBe(true))
})
afterEach(async () => {
  for (const { client } of clients) client.disconnect()
  await proxy.close()
  await server.stop()
})

/** 1,000 requests through each client at the same time. */
async function trafficThroughBoth(options?: OperationOptions): Promise<Outcome[]> {
  const outcomes = await Promise.all(clients.map(({ guard }) => traffic(guard, 'key', options)))
  const patienceMs = options?.patience === 'long' ? guardDefaults.patienceMs : guardDefaults.deadlineMs
  for (const { p99Ms } of outcomes) expect(p99Ms).toBeLessThanOrEqual(patienceMs + 20)
  return outcomes
}

interface Outage {
  begin(): Promise<void> | void
  end(): Promise<void> | void
}

const outages: Record<string, Outage> = {
  'stopped by SIGSTOP': {
    begin: () => server.pause(),
    end: () => server.resume(),
  },
  'killed with requests under way': {
    begin: async () => {
      server.pause()
      const underWay = clients.flatMap(({ guard }) =>
        Array.from({ length: 10 }, () => outcomeOf(guard.call('get', ['key'], PATIENT))),
      )
      await new Promise(setImmediate)
      await server.kill()
      expect(new Set(await Promise.all(underWay))).toEqual(new Set(['connection']))
    },
    end: () => server.restart(),
  },
  'black-holed': {
    begin: () => proxy.set({ blackHole: true }),
    end: () => proxy.clear(),
  },
  'gone without a word (half-open)': {
    begin: () => proxy.halfOpen(),
    end: () => {},
  },
}

describe.each(Object.entries(outages))('Redis %s', (_, { begin, end }) => {
  it('holds no request beyond its deadline, opens the breaker once, and whatever comes closes it', async () => {
    const changes: BreakerMessage[] = []
    const unsubscribe = breakerChannel.subscribe((message) => changes.push(message))
    await begin()
    await trafficThroughBoth()
    await trafficThroughBoth({ patience: 'long' })
    // By now it is known: nothing is sent any more, and nobody waits.
    for (const { guard } of clients) {
      const burst = Array.from({ length: 50 }, () =>
        outcomeOf(guard.call('get', ['key'], { patience: 'long' })),
      )
      const reasons = new Set(await Promise.all(burst))
      expect([new Set(['breaker-open']), new Set(['not-ready'])]).toContainEqual(reasons)
    }
    expect(changes.filter(({ from, to }) => from === 'closed' && to === 'open')).toHaveLength(2)

    await end()
    for (const { guard } of clients) {
      await eventually(async () => expect(await outcomeOf(guard.call('get', ['key'], PATIENT))).toBe('ok'))
      expect(guard.state()).toBe('closed')
      const after = Array.from({ length: 50 }, () => outcomeOf(guard.call('get', ['key'], PATIENT)))
      expect(new Set(await Promise.all(after))).toEqual(new Set(['ok']))
    }
    unsubscribe()
    expect(changes.filter(({ to }) => to === 'closed')).toHaveLength(2)
  })
})

/** Ends the pause after so long; the requests began before. */
const pauses: Record<string, (ms: number) => Promise<void>> = {
  'stopped by SIGSTOP': async (ms) => {
    server.pause()
    await sleep(ms)
    server.resume()
  },
  'asleep (DEBUG SLEEP)': async (ms) => {
    await server.command('DEBUG', 'SLEEP', String(ms / 1_000))
  },
  'behind a proxy that holds replies': async (ms) => {
    await proxy.set({ holdReplies: true })
    await sleep(ms)
    await proxy.clear()
  },
}

describe.each(Object.entries(pauses))('a pause of a Redis that is %s', (_, pause) => {
  /** As many as this are always under way, until the pause is over. */
  async function loadDuring(ms: number, options: OperationOptions): Promise<Record<string, number>[]> {
    let isOver = false
    const all = clients.map(async ({ guard }) => {
      const counts: Record<string, number> = {}
      const one = async (): Promise<void> => {
        while (!isOver) {
          const outcome = await outcomeOf(guard.call('incr', ['counter'], options))
          counts[outcome] = (counts[outcome] ?? 0) + 1
          if (outcome !== 'ok') await sleep(5)
        }
      }
      await Promise.all(Array.from({ length: 32 }, one))
      return counts
    })
    await sleep(50)
    await pause(ms)
    await sleep(50)
    isOver = true
    return Promise.all(all)
  }

  it.each([50, 200, 500, 800])('of %i ms refuses nobody who waits for it, and is no outage', async (ms) => {
    for (const counts of await loadDuring(ms, { patience: 'long' })) {
      expect(counts).toEqual({ ok: counts.ok })
      expect(counts.ok).toBeGreaterThan(32)
    }
    expect(clients.map(({ guard }) => guard.state())).toEqual(['closed', 'closed'])
  })

  it('of 800 ms costs those who can do without a deadline each, and no one more than that', async () => {
    for (const counts of await loadDuring(800, {})) {
      expect(Object.keys(counts).sort()).toEqual(['ok', 'timeout'])
    }
    expect(clients.map(({ guard }) => guard.state())).toEqual(['closed', 'closed'])
  })

  it('of 2 s ends with the first reply', async () => {
    await pause(0)
    const { guard } = clients[0]!
    const asked = Array.from({ length: 10 }, () =>
      outcomeOf(guard.call('get', ['key'], { patience: 'long' })),
    )
    await eventually(() => expect(guard.state()).toBe('closed'))
    const paused = pause(2_000)
    await sleep(50)
    asked.push(
      ...Array.from({ length: 10 }, () => outcomeOf(guard.call('get', ['key'], { patience: 'long' }))),
    )
    await eventually(() => expect(guard.state()).toBe('open'))
    expect(await outcomeOf(guard.call('get', ['key'], { patience: 'long' }))).toBe('breaker-open')
    await paused
    // A late answer is what closes it: there is nothing that would have to be sent first.
    await eventually(() => expect(guard.state()).toBe('closed'))
    expect(await outcomeOf(guard.call('get', ['key'], { patience: 'long' }))).toBe('ok')
    expect((await Promise.all(asked)).slice(10)).toEqual(Array(10).fill('timeout'))
  })
})

it.each([100, 300])(
  'Redis slow, %i ms each way: those who can do without miss their deadline, and it is no outage',
  async (latencyMs) => {
    await proxy.set({ latencyMs })
    for (const { counts } of await trafficThroughBoth()) expect(counts).toEqual({ timeout: 1_000 })
    for (const { counts } of await trafficThroughBoth({ patience: 'long' }))
      expect(counts).toEqual({ ok: 1_000 })
    expect(clients.map(({ guard }) => guard.state())).toEqual(['closed', 'closed'])
  },
)

it('no more wait than may: the others fail at once, and nothing of them is sent', async () => {
  const [{ client }] = clients as [GuardedClient]
  const few = createRedis(proxy.url, { guard: { maxWaiting: 100 } })
  await eventually(() => expect(few.status).toBe('ready'))
  await proxy.set({ holdReplies: true })
  const guard = storeGuard(few)
  const all = Array.from({ length: 250 }, () => outcomeOf(guard.call('incr', ['few'], PATIENT)))
  await sleep(20)
  await proxy.clear()
  const outcomes = await Promise.all(all)
  expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(100)
  expect(outcomes.filter((outcome) => outcome === 'too-many-waiting')).toHaveLength(150)
  expect(await server.command('GET', 'few')).toBe('100')
  expect(await outcomeOf(guard.call('get', ['few'], PATIENT))).toBe('ok')
  few.disconnect()
  expect(client.status).toBe('ready')
})

it('a client that was made not to connect by itself is connected by the first operations, which wait for it', async () => {
  const lazy = [new Redis(proxy.url, { lazyConnect: true }), new Redis5(proxy.url, { lazyConnect: true })]
  for (const client of lazy) {
    client.on('error', () => {})
    const guard = storeGuard(client)
    expect(guard.available()).toBe(true)
    const first = Array.from({ length: 20 }, () =>
      outcomeOf(guard.call('incr', ['lazy'], { patience: 'long' })),
    )
    expect(new Set(await Promise.all(first))).toEqual(new Set(['ok']))
    client.disconnect()
  }
  expect(await server.command('GET', 'lazy')).toBe('40')
  const away = new Redis({ port: 1, lazyConnect: true, retryStrategy: () => null })
  away.on('error', () => {})
  const guard = storeGuard(away)
  expect(await outcomeOf(guard.call('get', ['key'], { patience: 'long' }))).toBe('not-ready')
  expect(await outcomeOf(guard.call('get', ['key'], { patience: 'long' }))).toBe('not-ready')
})

it.each([
  ['auto-pipelining', { enableAutoPipelining: true }],
  ['numbers as strings', { stringNumbers: true }],
  ['both, and not connected yet', { enableAutoPipelining: true, stringNumbers: true, lazyConnect: true }],
  ['a prefix for its keys', { keyPrefix: 'theirs:' }],
  ['no limit of retries', { maxRetriesPerRequest: null }],
])('a client with %s answers as any other', async (_, options) => {
  const echo = defineScript('test.echo', 'return { ARGV[1], redis.call("INCR", KEYS[1]) }')
  for (const client of [
    new Redis(proxy.url, options),
    new Redis5(proxy.url, options),
    new Redis(proxy.url, { ...options, protocol: 2 }),
  ]) {
    client.on('error', () => {})
    const guard = storeGuard(client)
    await eventually(() => expect(guard.available()).toBe(true))
    const bytes = Buffer.from([0, 255, 13, 10])
    const key = `n${Math.random()}`
    const patience = 'long'
    // The script is known by then: where it is not, it comes a turn later than the rest.
    await guard.run(echo, ['other'], [bytes], { patience, asBuffer: true })
    const all = await Promise.all([
      guard.call('set', [key, '41'], { patience }),
      guard.run(echo, [key], [bytes], { patience, asBuffer: true }),
      guard.call('get', [key], { patience }),
      guard.call('get', [key], { patience, asBuffer: true }),
      guard.call('pttl', [key], { patience }),
    ])
    expect(all).toEqual(['OK', [bytes, 42], '42', Buffer.from('42'), -1])
    client.disconnect()
  }
})

it.each([5, 100])('Redis slow, %d ms each way, but within the deadline: no outage', async (latencyMs) => {
  await proxy.set({ latencyMs })
  // A wide margin: the proxy shares this process, and its answers wait for the event loop one turn longer.
  const deadlineMs = 2_000
  const outcomes = await Promise.all(clients.map(({ guard }) => traffic(guard, 'key', { deadlineMs })))
  expect(outcomes.map(({ counts }) => counts)).toEqual([{ ok: 1_000 }, { ok: 1_000 }])
  expect(clients.map(({ guard }) => guard.state())).toEqual(['closed', 'closed'])
})

it('Redis killed between two requests: they fail at once, until it is back', async () => {
  await server.kill()
  for (const { guard } of clients) await eventually(() => expect(guard.available()).toBe(false))
  for (const { counts } of await trafficThroughBoth()) {
    // A connection that the proxy accepts, to reset it, may look ready for a moment.
    expect(['not-ready', 'connection', 'breaker-open']).toEqual(expect.arrayContaining(Object.keys(counts)))
  }
  await server.restart()
  for (const { guard } of clients) {
    await eventually(async () => expect(await outcomeOf(guard.call('get', ['key']))).toBe('ok'))
  }
})

it.each(['before', 'after'])('an event loop blocked for 300 ms %s the write is no outage', async (when) => {
  // Past the proxy: that is in this process, and would be blocked as well.
  const direct = bothClients(server.url)
  for (const { guard } of direct) await eventually(() => expect(guard.available()).toBe(true))
  const calls = direct.flatMap(({ guard }) =>
    Array.from({ length: 100 }, () => outcomeOf(guard.call('get', ['key']))),
  )
  if (when === 'after') await new Promise(setImmediate)
  const blockedUntil = performance.now() + 300
  while (performance.now() < blockedUntil);
  expect(new Set(await Promise.all(calls))).toEqual(new Set(['ok']))
  expect(direct.map(({ guard }) => guard.state())).toEqual(['closed', 'closed'])
  for (const { client } of direct) client.disconnect()
})

it('a write whose answer is lost is not repeated, and its late answer is counted', async () => {
  let late = 0
  const unsubscribe = lateReplyChannel.subscribe(() => late++)
  await proxy.set({ holdReplies: true })
  const unanswered = clients.map(({ guard }) => outcomeOf(guard.call('incr', ['counter'])))
  expect(await Promise.all(unanswered)).toEqual(['timeout', 'timeout'])
  await proxy.clear()
  await eventually(() => expect(late).toBe(2))
  unsubscribe()
  expect(await server.command('GET', 'counter')).toBe('2')

  await proxy.set({ holdReplies: true })
  const cut = clients.map(({ guard }) => outcomeOf(guard.call('incr', ['counter'], PATIENT)))
  await eventually(async () => expect(await server.command('GET', 'counter')).toBe('4'))
  proxy.reset()
  expect(await Promise.all(cut)).toEqual(['connection', 'connection'])
  await proxy.clear()
  for (const { guard } of clients) {
    await eventually(async () => expect(await outcomeOf(guard.call('get', ['key']))).toBe('ok'))
  }
  expect(await server.command('GET', 'counter')).toBe('4')
})

describe('a client that gives up on commands by itself (commandTimeout), sooner than the guard', () => {
  let own: Redis
  let guard: StoreGuard

  beforeEach(async () => {
    own = new Redis(proxy.url, {
      commandTimeout: 50,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
    })
    own.on('error', () => {})
    guard = storeGuard(own)
    await eventually(() => expect(guard.available()).toBe(true))
  })
  afterEach(() => own.disconnect())

  it('is served again after a pause, over the connection that it has', async () => {
    const { connections } = proxy
    await proxy.set({ holdReplies: true })
    expect(await outcomeOf(guard.call('get', ['key'], PATIENT))).toBe('timeout')
    await proxy.clear()
    await eventually(async () => expect(await outcomeOf(guard.call('get', ['key'], PATIENT))).toBe('ok'))
    expect(proxy.connections).toBe(connections)
  })

  it('is rid of a connection whose other end is gone', async () => {
    proxy.halfOpen()
    await eventually(async () => expect(await outcomeOf(guard.call('get', ['key'], PATIENT))).toBe('ok'))
  })
})
