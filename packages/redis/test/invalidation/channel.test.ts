import { testRedis } from '@scale/devkit/redis-server'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRedis, invalidationChannel, whenReady } from '../../src/index.js'
import { entriesOf, isBefore, LOG_KEY } from '../../src/invalidation/log.js'
import { type FaultProxy, type RedisServer, startFaultProxy } from '../../src/testing/index.js'
import { type Relay, startRelay } from './relay.js'

const LIVENESS_MS = 200

let server: RedisServer
let proxy: FaultProxy
beforeAll(async () => {
  server = await testRedis()
})
afterAll(() => server.stop())
beforeEach(async () => {
  proxy = await startFaultProxy({ target: server })
})

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await proxy.close()
})

async function until(condition: () => unknown, timeoutMs = 10_000): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error(`never came true: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A process that listens: through the proxy, unless told otherwise. */
async function listening(prefixes: string[] = ['a:', 'b:'], url = proxy.url) {
  const client = createRedis(url, { maxReconnectDelayMs: 50 })
  closing.push(() => client.disconnect())
  await whenReady(client, 5_000)
  const heard: string[] = []
  const channel = invalidationChannel(client)
  const stop = channel.watch({
    prefixes,
    livenessMs: LIVENESS_MS,
    onKey: (key) => heard.push(key),
    onLoss: () => heard.push('LOSS'),
  })
  const isTrusted = () => channel.silentForMs(performance.now()) < LIVENESS_MS
  await until(isTrusted)
  heard.length = 0
  return { client, channel, heard, stop, isTrusted }
}

/** A process that invalidates, on a connection of its own. */
async function announcing(url = server.url) {
  const client = createRedis(url)
  closing.push(() => client.disconnect())
  await whenReady(client, 5_000)
  return (...keys: string[]) => invalidationChannel(client).announce(keys)
}

describe('invalidationChannel', () => {
  it('hears of announced keys with its prefixes, and of no others', async () => {
    const { heard } = await listening()
    const announce = await announcing()
    await announce('a:1', 'c:1', 'b:2')
    await announce('a:3')
    await until(() => heard.length === 3)
    expect(heard).toEqual(['a:1', 'b:2', 'a:3'])
  })

  it('goes silent when the network swallows everything, and has missed nothing when it speaks again', async () => {
    const { channel, heard, isTrusted } = await listening()
    await proxy.set({ blackHole: true })
    await until(() => channel.silentForMs(performance.now()) > 2 * LIVENESS_MS)
    const announce = await announcing()
    await announce('a:1')
    expect(heard).toEqual([])
    await proxy.clear()
    proxy.reset()
    await until(isTrusted)
    expect(heard).toEqual(['a:1'])
  })

  it('has heard what it missed before it is trusted again', async () => {
    const { channel, heard, isTrusted } = await listening()
    const announce = await announcing()
    await announce('a:0')
    await until(() => heard.includes('a:0'))
    await proxy.set({ refuse: true })
    proxy.reset()
    await until(() => channel.silentForMs(performance.now()) > 2 * LIVENESS_MS)
    await announce('a:1')
    await proxy.clear()
    await until(isTrusted)
    expect(heard).toEqual(['a:0', 'a:1'])
  })

  it('proves nothing until it has read as far as the log went when it asked', async () => {
    const { channel, heard, isTrusted } = await listening()
    await proxy.set({ latencyMs: 2 * LIVENESS_MS })
    const announce = await announcing()
    for (let round = 0; round < 30; round++) {
      const sentAt = performance.now()
      await announce(`a:${round}`)
      const askedAt = performance.now()
      await until(() => performance.now() - channel.silentForMs(performance.now()) >= askedAt || !isTrusted())
      if (performance.now() - channel.silentForMs(performance.now()) >= sentAt) {
        expect(heard).toContain(`a:${round}`)
      }
    }
  })

  it('serves several listeners, and one that comes later', async () => {
    const { channel, heard, stop } = await listening(['a:'])
    const late: string[] = []
    const stopLate = channel.watch({
      prefixes: ['d:'],
      livenessMs: LIVENESS_MS,
      onKey: (key) => late.push(key),
      onLoss: () => late.push('LOSS'),
    })
    const announce = await announcing()
    await announce('a:1', 'd:1')
    await until(() => late.includes('d:1') && heard.includes('a:1'))
    expect(late).not.toContain('a:1')
    stop()
    stopLate()
    expect(channel.silentForMs(performance.now())).toBe(Number.POSITIVE_INFINITY)
  })

  it('listens on a connection of its own, and closes it with the client', async () => {
    const { client } = await listening()
    expect(proxy.openConnections).toBe(2)
    client.disconnect()
    await until(() => proxy.openConnections === 0)
  })

  it('tells of a loss if the log no longer holds the place where reading stopped', async () => {
    const { channel, heard, isTrusted } = await listening()
    const announce = await announcing()
    await announce('a:1')
    await until(() => heard.includes('a:1'))
    await proxy.set({ refuse: true })
    proxy.reset()
    await until(() => channel.silentForMs(performance.now()) > 2 * LIVENESS_MS)
    await server.command('DEL', LOG_KEY)
    await announce('a:2')
    await proxy.clear()
    await until(isTrusted)
    expect(heard).toContain('LOSS')
  })

  it.each([['DEL', LOG_KEY], ['FLUSHALL']])(
    'tells of a loss when the log is taken away by %s',
    async (...command) => {
      const { heard } = await listening()
      const announce = await announcing()
      await announce('a:1')
      await until(() => heard.includes('a:1'))
      await server.command(...(command as [string]))
      await until(() => heard.includes('LOSS'))
      await announce('a:2')
      await until(() => heard.includes('a:2'))
    },
  )

  it('tells of a loss if it has fallen too far behind', async () => {
    const { heard, isTrusted } = await listening()
    await proxy.set({ holdReplies: true })
    const announce = await announcing()
    await announce('a:first')
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 100 }, (_, i) => announce(`a:${round}-${i}`)))
    }
    await proxy.clear()
    await until(() => heard.includes('LOSS'))
    await until(isTrusted)
  })

  it('tells of a loss if the server has become another, which may lack entries', {
    timeout: 30_000,
  }, async () => {
    const { heard, isTrusted } = await listening()
    const announce = await announcing()
    await announce('a:1')
    await until(() => heard.includes('a:1'))
    heard.length = 0
    // A replica that is promoted: it holds the place where reading stopped, and perhaps not what came after it.
    await server.command('REPLICAOF', '127.0.0.1', 1)
    await server.command('REPLICAOF', 'NO', 'ONE')
    await until(() => heard.length > 0, 20_000)
    expect(heard).toEqual(['LOSS'])
    await until(isTrusted)
  })

  it('tells many keys in entries of a bounded size', async () => {
    const { heard } = await listening()
    const announce = await announcing()
    const keys = Array.from({ length: 10_001 }, (_, i) => `a:${i}`)
    await announce(...keys)
    await until(() => heard.length === keys.length)
    expect(new Set(heard)).toEqual(new Set(keys))
  })

  it('gives the log a lifetime, and keeps it as long as somebody listens', async () => {
    const { channel } = await listening()
    const announce = await announcing()
    await announce('a:1')
    expect(Number(await server.command('PTTL', LOG_KEY))).toBeGreaterThan(3_000_000)
    await server.command('PEXPIRE', LOG_KEY, 60_000)
    await until(async () => Number(await server.command('PTTL', LOG_KEY)) > 3_000_000)
    expect(channel.silentForMs(performance.now())).toBeLessThan(LIVENESS_MS)
  })

  it('announces although the server is full', async () => {
    const { heard } = await listening()
    const announce = await announcing()
    await server.command('CONFIG', 'SET', 'maxmemory', 1)
    closing.push(() => server.command('CONFIG', 'SET', 'maxmemory', 0))
    await announce('a:1')
    await until(() => heard.includes('a:1'))
  })

  it('serves a user without rights to channels and to CLIENT', async () => {
    const rights = ['~*', '+@all', '-@pubsub', '-client', 'resetchannels']
    await server.command('ACL', 'SETUSER', 'plain', 'on', '>pw', ...rights)
    const { heard } = await listening(['a:'], `redis://plain:pw@127.0.0.1:${server.port}`)
    const announce = await announcing()
    await announce('a:1')
    await until(() => heard.includes('a:1'))
  })

  it.each([
    ['5', () => new Redis5(server.port, '127.0.0.1', { maxRetriesPerRequest: 0 })],
    ['6', () => new Redis(server.port, '127.0.0.1', { maxRetriesPerRequest: 0 })],
  ])('works on a client of ioredis %s that somebody else made', async (_major, make) => {
    const client = make()
    closing.push(() => client.disconnect())
    const channel = invalidationChannel(client)
    const heard: string[] = []
    channel.watch({ prefixes: ['a:'], livenessMs: 200, onKey: (key) => heard.push(key), onLoss: () => {} })
    await until(() => channel.silentForMs(performance.now()) < 200)
    const announce = await announcing()
    await announce('a:1')
    await until(() => heard.includes('a:1'))
  })

  it('trusts nothing on a client that renames keys', async () => {
    const client = new Redis(server.port, '127.0.0.1', { keyPrefix: 'app:', maxRetriesPerRequest: 0 })
    closing.push(() => client.disconnect())
    const channel = invalidationChannel(client)
    channel.watch({ prefixes: ['a:'], livenessMs: 200, onKey: () => {}, onLoss: () => {} })
    await client.set('a:1', 'value')
    expect(channel.silentForMs(performance.now())).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('the connection of an invalidationChannel', () => {
  let other: RedisServer
  let relay: Relay
  beforeAll(async () => {
    other = await testRedis()
  })
  afterAll(() => other.stop())
  beforeEach(async () => {
    relay = await startRelay(server.port)
    closing.push(() => relay.close())
  })

  it('is not left with the old server when the client writes to another', { timeout: 30_000 }, async () => {
    const { heard, channel, isTrusted } = await listening(['a:'], relay.url)
    const [data, own] = relay.connections
    relay.lead(other.port)
    data!.destroy()
    const announce = await announcing(other.url)
    await announce('a:1')
    const acknowledgedAt = performance.now()
    await until(() => !own!.open && heard.length > 0, 20_000)
    await until(isTrusted, 20_000)
    // It has given everything up before it proves anything again.
    expect(heard[0]).toBe('LOSS')
    await until(() => performance.now() - channel.silentForMs(performance.now()) > acknowledgedAt)
    await announce('a:2')
    await until(() => heard.includes('a:2'))
  })

  it('is made anew when its peer is mute', { timeout: 30_000 }, async () => {
    const { heard, isTrusted } = await listening(['a:'], relay.url)
    relay.connections[1]!.mute()
    const announce = await announcing()
    await announce('a:1')
    await until(() => !isTrusted())
    await until(() => heard.includes('a:1'), 20_000)
    await until(isTrusted)
  })
})

describe('the log of invalidations', () => {
  it('orders its entries by number', () => {
    const part = fc.nat({ max: 2 ** 48 })
    fc.assert(
      fc.property(part, part, part, part, (aMs, aNumber, bMs, bNumber) => {
        const isEarlier = aMs < bMs || (aMs === bMs && aNumber < bNumber)
        expect(isBefore(`${aMs}-${aNumber}`, `${bMs}-${bNumber}`)).toBe(isEarlier)
      }),
    )
  })

  it('is read alike from replies of RESP2 and RESP3', () => {
    const entries = [['1-1', ['keys', 'a\nb']]]
    const read = [['1-1', ['a', 'b']]]
    for (const reply of [
      [[LOG_KEY, entries]],
      [LOG_KEY, entries],
      new Map([[LOG_KEY, entries]]),
      { [LOG_KEY]: entries },
    ]) {
      expect(entriesOf(reply)).toEqual(read)
    }
    for (const nothing of [null, undefined, [], new Map(), {}]) expect(entriesOf(nothing)).toEqual([])
  })
})
