import { testRedis } from '@scale/devkit/redis-server'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRedis, type InvalidationMode, invalidationChannel, whenReady } from '../../src/index.js'
import { STREAM_KEY } from '../../src/invalidation/stream.js'
import { type FaultProxy, type RedisServer, startFaultProxy } from '../../src/testing/index.js'

let server: RedisServer
let proxy: FaultProxy
beforeAll(async () => {
  server = await testRedis()
})
afterAll(() => server.stop())
beforeEach(async () => {
  proxy = await startFaultProxy({ target: server })
})

const clients: { disconnect(): void }[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect()
  await proxy.close()
})

async function until(condition: () => unknown): Promise<void> {
  const giveUpAt = Date.now() + 10_000
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error(`never came true: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A process that listens through the proxy. */
async function listening(mode: InvalidationMode, prefixes: string[] = ['a:', 'b:']) {
  const client = createRedis(proxy.url, { maxReconnectDelayMs: 50 })
  clients.push(client)
  await whenReady(client, 5_000)
  const heard: string[] = []
  const channel = invalidationChannel(client, [mode])
  const stop = channel.watch({
    prefixes,
    livenessMs: 200,
    onKey: (key) => heard.push(key),
    onLoss: () => heard.push('LOSS'),
  })
  await until(() => channel.silentForMs(performance.now()) < 200)
  return { client, channel, heard, stop }
}

/** A process that writes, on a connection of its own. */
async function writing(mode: InvalidationMode) {
  const client = createRedis(server.url)
  clients.push(client)
  await whenReady(client, 5_000)
  const channel = invalidationChannel(client, [mode])
  return async (...keys: string[]) => {
    await client.mset(...keys.flatMap((key) => [key, 'value']))
    await channel.announce(keys)
  }
}

describe.each<InvalidationMode>(['tracking', 'stream', 'pubsub'])('invalidationChannel by %s', (mode) => {
  it('hears of changes to keys with its prefixes, and of no others', async () => {
    const { channel, heard } = await listening(mode)
    expect(channel.mode).toBe(mode)
    heard.length = 0
    const write = await writing(mode)
    await write('a:1', 'c:1', 'b:2')
    await write('a:3')
    await until(() => heard.length === 3)
    expect(heard.sort()).toEqual(['a:1', 'a:3', 'b:2'])
  })

  it('goes silent when the network swallows everything, and proves itself again after', async () => {
    const { channel, heard } = await listening(mode)
    heard.length = 0
    await proxy.set({ blackHole: true })
    await until(() => channel.silentForMs(performance.now()) > 400)
    const write = await writing(mode)
    await write('a:1')
    expect(heard).toEqual([])
    await proxy.clear()
    proxy.reset()
    await until(() => channel.silentForMs(performance.now()) < 200)
    await until(() => heard.length > 0)
    expect(heard).toContain(mode === 'stream' ? 'a:1' : 'LOSS')
  })

  it('tells of a loss, or of what it missed, before it is trusted again', async () => {
    const { channel, heard } = await listening(mode)
    const write = await writing(mode)
    await write('a:0')
    await until(() => heard.includes('a:0'))
    heard.length = 0
    await proxy.set({ refuse: true })
    proxy.reset()
    await until(() => channel.silentForMs(performance.now()) > 400)
    await write('a:1')
    await proxy.clear()
    const isTrusted = () => channel.silentForMs(performance.now()) < 200
    await until(isTrusted)
    expect(heard).toEqual([mode === 'stream' ? 'a:1' : 'LOSS'])
  })

  it('serves several listeners, and one that comes later', async () => {
    const { channel, heard, stop } = await listening(mode, ['a:'])
    const late: string[] = []
    const stopLate = channel.watch({
      prefixes: ['d:'],
      livenessMs: 200,
      onKey: (key) => late.push(key),
      onLoss: () => late.push('LOSS'),
    })
    const write = await writing(mode)
    await until(async () => {
      await write('a:1', 'd:1')
      return late.includes('d:1') && heard.includes('a:1')
    })
    expect(late).not.toContain('a:1')
    stop()
    stopLate()
    expect(channel.silentForMs(performance.now())).toBe(Number.POSITIVE_INFINITY)
  })

  it('listens on a connection of its own, and closes it with the client', async () => {
    const { client } = await listening(mode)
    expect(proxy.openConnections).toBe(2)
    client.disconnect()
    await until(() => proxy.openConnections === 0)
  })
})

it('falls back to what the server allows', async () => {
  await server.command('ACL', 'SETUSER', 'plain', 'on', '>pw', '~*', '&*', '+@all', '-client|tracking')
  await server.command(
    'ACL',
    'SETUSER',
    'old',
    'on',
    '>pw',
    '~*',
    '&*',
    '+@all',
    '-client|tracking',
    '-@stream',
  )
  for (const [user, mode] of [
    ['plain', 'stream'],
    ['old', 'pubsub'],
  ]) {
    const client = createRedis(`redis://${user}:pw@127.0.0.1:${server.port}`)
    clients.push(client)
    const channel = invalidationChannel(client)
    const heard: string[] = []
    channel.watch({ prefixes: ['a:'], livenessMs: 200, onKey: (key) => heard.push(key), onLoss: () => {} })
    await until(() => channel.mode === mode)
    await channel.announce(['a:1'])
    await until(() => heard.includes('a:1'))
  }
})

it('tells of a loss if the log no longer holds the place where reading stopped', async () => {
  const { channel, heard } = await listening('stream')
  const write = await writing('stream')
  await write('a:1')
  await until(() => heard.includes('a:1'))
  heard.length = 0
  await proxy.set({ refuse: true })
  proxy.reset()
  await until(() => channel.silentForMs(performance.now()) > 400)
  await server.command('DEL', STREAM_KEY)
  await write('a:2')
  await proxy.clear()
  await until(() => channel.silentForMs(performance.now()) < 200)
  expect(heard).toContain('LOSS')
})

it('tells of a loss if the server has become another, which may lack entries', {
  timeout: 30_000,
}, async () => {
  const { channel, heard } = await listening('stream')
  const write = await writing('stream')
  await write('a:1')
  await until(() => heard.includes('a:1'))
  heard.length = 0
  // A replica that is promoted: it holds the place where reading stopped, and perhaps not what came after it.
  await server.command('REPLICAOF', '127.0.0.1', 1)
  await server.command('REPLICAOF', 'NO', 'ONE')
  await until(() => heard.length > 0)
  expect(heard).toEqual(['LOSS'])
  await until(() => channel.silentForMs(performance.now()) < 200)
})

it('hears FLUSHALL as a loss, with tracking', async () => {
  const { heard } = await listening('tracking')
  heard.length = 0
  await server.command('FLUSHALL')
  await until(() => heard.includes('LOSS'))
})

it('tells whoever may be listening as long as the server has not been asked', async () => {
  const { heard } = await listening('stream')
  const client = createRedis(server.url)
  clients.push(client)
  await whenReady(client, 5_000)
  await invalidationChannel(client).announce(['a:9'])
  await until(() => heard.includes('a:9'))
})

it('gives the log a lifetime', async () => {
  const write = await writing('stream')
  await write('a:1')
  expect(Number(await server.command('PTTL', STREAM_KEY))).toBeGreaterThan(0)
})

it.each([
  ['5', () => new Redis5(server.port, '127.0.0.1', { maxRetriesPerRequest: 0 })],
  ['6', () => new Redis(server.port, '127.0.0.1', { maxRetriesPerRequest: 0 })],
])('works on a client of ioredis %s that somebody else made', async (_major, make) => {
  const client = make()
  clients.push(client)
  const channel = invalidationChannel(client)
  const heard: string[] = []
  channel.watch({ prefixes: ['a:'], livenessMs: 200, onKey: (key) => heard.push(key), onLoss: () => {} })
  await until(() => channel.mode === 'tracking')
  await client.set('a:1', 'value')
  await until(() => heard.includes('a:1'))
})

it('trusts nothing on a client that renames keys', async () => {
  const client = new Redis(server.port, '127.0.0.1', { keyPrefix: 'app:', maxRetriesPerRequest: 0 })
  clients.push(client)
  const channel = invalidationChannel(client)
  channel.watch({ prefixes: ['a:'], livenessMs: 200, onKey: () => {}, onLoss: () => {} })
  await client.set('a:1', 'value')
  expect(channel.silentForMs(performance.now())).toBe(Number.POSITIVE_INFINITY)
})
