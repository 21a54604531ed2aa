import { setTimeout as delay } from 'node:timers/promises'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, invalidationChannel, whenReady } from '@scale/redis'
import { type FaultProxy, type RedisServer, startFaultProxy } from '@scale/redis/testing'
import express from 'express'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Cache, type CacheOptions, createCache } from '../src/index.js'
import { close, listen, portOf, send } from './http/harness.js'
import { deferred, until } from './until.js'

const LIVENESS_MS = 300

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
  for (const close of closing.splice(0)) await close()
  await proxy.close()
})

let count = 0

/** A process with a connection of its own: straight, or through the proxy. */
async function copy(url: string, prefix: string, options: CacheOptions = {}) {
  const redis = createRedis(url, { maxReconnectDelayMs: 50 })
  await whenReady(redis, 5_000)
  const channel = invalidationChannel(redis)
  const cache = createCache({
    redis,
    prefix,
    livenessMs: LIVENESS_MS,
    jitterRatio: 0,
    earlyRefresh: 0,
    ...options,
  })
  closing.push(
    () => cache.close(),
    () => redis.disconnect(),
  )
  if (options.maxBytes !== 0) await until(() => channel.silentForMs(performance.now()) < LIVENESS_MS)
  return cache
}

/** Reads until the value is served by this process. */
async function warm(cache: Cache, key: string): Promise<void> {
  await until(async () => (await cache.getEntry(key))?.layer === 'l1')
}

describe('copies in process, of several processes', () => {
  it('are served without asking Redis', async () => {
    const cache = await copy(proxy.url, `co${count++}`)
    await cache.set('key', 'value')
    await warm(cache, 'key')
    const scriptCalls = async () =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await server.command('INFO', 'commandstats')))?.[1])
    // The change that was made here comes back as news once, and costs one more read.
    await until(async () => {
      const before = await scriptCalls()
      for (let i = 0; i < 100; i++) expect(await cache.getOrSet('key', () => 'loaded')).toBe('value')
      return (await scriptCalls()) === before
    })
  })

  it.each(['x', 'a:{b} ü', 'long'.repeat(100)])('go when another process changes them: %s', async (key) => {
    const prefix = `co${count++}`
    const [here, there] = [await copy(server.url, prefix), await copy(server.url, prefix)]
    for (const change of [
      () => there.delete(key),
      () => there.set(key, 'new'),
      () => there.invalidateTags(['t']),
      () => there.invalidateTags([`u${'v'.repeat(200)}`]),
    ]) {
      await here.set(key, 'old', { tags: ['t', `u${'v'.repeat(200)}`] })
      await warm(here, key)
      expect(await change()).toBe(true)
      await until(async () => (await here.get(key)) !== 'old')
    }
  })

  it('are not trusted beyond livenessMs when this process is cut off', async () => {
    const prefix = `co${count++}`
    const [here, there] = [await copy(proxy.url, prefix), await copy(server.url, prefix)]
    await here.set('key', 'old', { tags: ['t'] })
    await warm(here, 'key')
    await proxy.set({ blackHole: true })
    expect(await there.invalidateTags(['t'])).toBe(true)
    const acknowledgedAt = performance.now()
    let lastOldAt = 0
    for (;;) {
      const startedAt = performance.now()
      if (startedAt - acknowledgedAt > 3 * LIVENESS_MS) break
      if ((await here.getOrSet('key', () => 'new', { tags: ['t'] })) === 'old') lastOldAt = startedAt
      await delay(5)
    }
    expect(lastOldAt - acknowledgedAt).toBeLessThan(LIVENESS_MS)
    await proxy.clear()
    proxy.reset()
    await until(async () => (await here.getOrSetEntry('key', () => 'new', { tags: ['t'] })).layer === 'l1')
    expect(await here.get('key')).toBe('new')
  })

  it('do not outlive a read that an invalidation has overtaken', async () => {
    const prefix = `co${count++}`
    const [here, there] = [await copy(proxy.url, prefix), await copy(server.url, prefix)]
    for (let round = 0; round < 20; round++) {
      await there.set('key', 'old')
      const reading = here.get('key')
      await there.delete('key')
      await reading
      await until(async () => (await here.get('key')) === undefined)
    }
  })

  it('end calls that would join a load which another process has overtaken', async () => {
    const prefix = `co${count++}`
    const [here, there] = [await copy(server.url, prefix), await copy(server.url, prefix)]
    const gate = deferred<string>()
    const old = here.getOrSet('key', gate.loader, { tags: ['t'] })
    await until(() => gate.calls === 1)
    expect(await there.delete('key')).toBe(true)
    expect(await there.invalidateTags(['t'])).toBe(true)
    await delay(LIVENESS_MS)
    expect(await here.getOrSet('key', () => 'new', { tags: ['t'] })).toBe('new')
    gate.resolve('old')
    expect(await old).toBe('old')
    expect(await there.get('key')).toBe('new')
  })
})

describe('copies in process', () => {
  it('go by the names of what is invalidated, and no others do: keys and tags of any length, an HTTP miss, a POST', async () => {
    const prefix = `co${count++}`
    const [here, there] = [await copy(server.url, prefix), await copy(server.url, prefix)]
    const app = await listen(express().use(there.http(), (_req, res) => res.send('x')) as never)
    closing.push(() => close(app))
    await here.set('kept', 'value', { tags: ['kept', `k${'e'.repeat(300)}`] })
    // What was set here comes back as news once, and costs one more read.
    await delay(LIVENESS_MS)
    await warm(here, 'kept')
    await send(portOf(app), 'GET', '/a')
    await send(portOf(app), 'POST', '/b')
    await there.invalidateTags([`other${'r'.repeat(300)}`])
    await there.delete(`other${'r'.repeat(300)}`)
    await there.set('last', 1)
    await until(async () => (await here.get('last')) === 1)
    await delay(LIVENESS_MS)
    expect((await here.getEntry('kept'))?.layer).toBe('l1')
  })

  it('follow invalidations of a process whose user may neither use channels nor CLIENT', async () => {
    const prefix = `co${count++}`
    await server.command(
      'ACL',
      'SETUSER',
      'plain',
      'on',
      '>pw',
      '~*',
      'resetchannels',
      '+@all',
      '-@pubsub',
      '-client',
    )
    const [here, there] = [
      await copy(server.url, prefix),
      await copy(`redis://plain:pw@127.0.0.1:${server.port}`, prefix),
    ]
    for (const [from, to] of [
      [here, there],
      [there, here],
    ] as const) {
      await from.set('key', 'old', { tags: ['t'] })
      await warm(to, 'key')
      expect(await from.invalidateTags(['t'])).toBe(true)
      await delay(LIVENESS_MS)
      expect(await to.get('key')).toBeUndefined()
    }
  })

  it('are invalidated although Redis is full', async () => {
    const prefix = `co${count++}`
    const [here, there] = [await copy(server.url, prefix), await copy(server.url, prefix)]
    await here.set('key', 'old', { tags: ['t'] })
    await here.set('other', 'old')
    await warm(there, 'key')
    await server.command('CONFIG', 'SET', 'maxmemory', 1)
    try {
      expect(await here.invalidateTags(['t'])).toBe(true)
      expect(await here.delete('other')).toBe(true)
      await delay(LIVENESS_MS)
      expect([await there.get('key'), await there.get('other')]).toEqual([undefined, undefined])
    } finally {
      await server.command('CONFIG', 'SET', 'maxmemory', 0)
    }
  })

  it('stay no longer than l1TtlMs, carried by the entry', async () => {
    const prefix = `co${count++}`
    const writer = await copy(server.url, prefix, { l1TtlMs: 50 })
    const reader = await copy(server.url, prefix)
    await writer.set('key', 'value')
    await warm(reader, 'key')
    await until(async () => (await reader.getEntry('key'))?.layer === 'l2')
    expect(await reader.get('key')).toBe('value')
  })

  it('take no more memory than maxBytes; 0 keeps none', async () => {
    const prefix = `co${count++}`
    const small = await copy(server.url, prefix, { maxBytes: 100_000 })
    const none = await copy(server.url, prefix, { maxBytes: 0 })
    for (let i = 0; i < 500; i++) {
      await small.getOrSet(`key${i}`, () => 'x'.repeat(500))
      await none.getOrSet(`key${i}`, () => 'x')
    }
    expect(small.bytes).toBeLessThanOrEqual(100_000)
    expect(none.bytes).toBe(0)
  })
})
