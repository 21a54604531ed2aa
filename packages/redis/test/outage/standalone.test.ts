import { testRedis } from '@scale/devkit/redis-server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BreakerMessage, breakerChannel, guardDefaults, lateReplyChannel } from '../../src/index.js'
import { type FaultProxy, type RedisServer, startFaultProxy } from '../../src/testing/index.js'
import { bothClients, type GuardedClient } from './clients.js'
import { burstsUntilHealed, eventually, type Outcome, outcomeOf, PATIENT, traffic } from './traffic.js'

let server: RedisServer
let proxy: FaultProxy
let clients: GuardedClient[]

beforeEach(async () => {
  server = await testRedis()
  proxy = await startFaultProxy({ target: server })
  clients = bothClients(proxy.url, { reconnectAfterMs: 1_200 })
  for (const { guard } of clients) await eventually(() => expect(guard.available()).toBe(true))
})
afterEach(async () => {
  for (const { client } of clients) client.disconnect()
  await proxy.close()
  await server.stop()
})

/** 1,000 requests through each client at the same time. */
async function trafficThroughBoth(): Promise<Outcome[]> {
  const outcomes = await Promise.all(clients.map(({ guard }) => traffic(guard)))
  for (const { p99Ms } of outcomes) expect(p99Ms).toBeLessThanOrEqual(guardDefaults.deadlineMs + 20)
  return outcomes
}

interface Outage {
  begin(): Promise<void> | void
  end(): Promise<void> | void
}

const slow = (latencyMs: number): Outage => ({
  begin: () => proxy.set({ latencyMs }),
  end: () => proxy.clear(),
})

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
  'slow: 100 ms each way': slow(100),
  'slow: 500 ms each way': slow(500),
  'slow: 2.5 s each way': slow(2_500),
}

describe.each(Object.entries(outages))('Redis %s', (_, { begin, end }) => {
  it('holds no request beyond its deadline, opens the breaker, and one probe closes it', async () => {
    const changes: BreakerMessage[] = []
    const unsubscribe = breakerChannel.subscribe((message) => changes.push(message))
    await begin()
    for (const { counts } of await trafficThroughBoth()) {
      expect(counts.ok).toBeUndefined()
      expect((counts['breaker-open'] ?? 0) + (counts['not-ready'] ?? 0)).toBeGreaterThan(0)
    }
    expect(changes.filter(({ from, to }) => from === 'closed' && to === 'open')).toHaveLength(2)

    await end()
    for (const { guard } of clients) {
      const healing = await burstsUntilHealed(guard)
      expect(healing.sort()).toEqual([...Array(49).fill('breaker-open'), 'ok'])
      expect(guard.state()).toBe('closed')
      const after = Array.from({ length: 50 }, () => outcomeOf(guard.call('get', ['key'], PATIENT)))
      expect(new Set(await Promise.all(after))).toEqual(new Set(['ok']))
    }
    unsubscribe()
    expect(changes.filter(({ to }) => to === 'closed')).toHaveLength(2)
  })
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
