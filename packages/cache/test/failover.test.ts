import { findRedisServer } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import {
  type RedisCluster,
  type RedisSentinel,
  type RedisServer,
  startRedisCluster,
  startRedisSentinel,
} from '@scale/redis/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { cacheKeys } from '../src/entries/names.js'
import { type Cache, type CacheOptions, createCache } from '../src/index.js'
import { cutOff } from './cut-off.js'
import { deferred, until } from './until.js'

const LIVENESS_MS = 300

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A deployment, seen from a key: who holds it, and who follows. */
interface Deployment {
  readonly url: string
  primaryOf(name: string): Promise<RedisServer>
  replicasOf(primary: RedisServer): Promise<readonly RedisServer[]>
  stop(): Promise<void>
}

async function cluster(): Promise<Deployment> {
  const started: RedisCluster = await startRedisCluster(await findRedisServer())
  return {
    url: started.url,
    primaryOf: async (name) => started.primaryOf(await started.slotOf(name)),
    replicasOf: started.replicasOf,
    stop: started.stop,
  }
}

async function sentinel(): Promise<Deployment> {
  const started: RedisSentinel = await startRedisSentinel(await findRedisServer())
  return {
    url: started.url,
    primaryOf: () => started.primary(),
    replicasOf: async (primary) => started.servers.filter((server) => server !== primary),
    stop: started.stop,
  }
}

/**
 * The worst that asynchronous replication allows: `change` is acknowledged by the primary of a key while its replicas
 * hear nothing; then the primary dies, and one of them takes over.
 */
async function loseAcknowledged(
  deployment: Deployment,
  name: string,
  change: () => Promise<unknown>,
): Promise<void> {
  const primary = await deployment.primaryOf(name)
  const replicas = await deployment.replicasOf(primary)
  await cutOff(primary, replicas)
  expect(await change()).toBe(true)
  await primary.kill()
  for (const replica of replicas) replica.resume()
  await until(async () => (await deployment.primaryOf(name).catch(() => primary)) !== primary, 20_000)
}

let count = 0
async function start(make: () => Promise<Deployment>) {
  const deployment = await make()
  const prefix = `fo${count++}`
  closing.push(() => deployment.stop())
  const names = cacheKeys(prefix)
  return {
    deployment,
    tagName: (tag: string) => `${names.tags}{${tag}}`,
    valueName: (key: string) => `${names.values}{${key}}`,
    /** A process of its own, with a connection of its own. */
    copy: async (options: CacheOptions = {}): Promise<Cache> => {
      const redis = createRedis(deployment.url, { maxReconnectDelayMs: 100 })
      await whenReady(redis, 10_000)
      const cache = createCache({ redis, prefix, livenessMs: LIVENESS_MS, jitterRatio: 0, ...options })
      closing.unshift(
        () => cache.close(),
        () => redis.disconnect(),
      )
      return cache
    },
  }
}

/** Waits until Redis answers again for what lies under this key. */
const heals = (cache: Cache, key: string, tags: string[]) =>
  until(async () => (await cache.getOrSetEntry(key, () => 'new', { tags })).status === 'hit', 20_000)

/** What a process finds, as soon as its own connection has healed too. */
async function found(cache: Cache, key: string): Promise<unknown> {
  let value: unknown
  await until(async () => {
    value = await cache.get(key)
    return value !== undefined
  })
  return value
}

describe.each([
  ['Cluster', cluster],
  ['Sentinel', sentinel],
])('when the primary of a %s dies with what it has acknowledged', (_name, make) => {
  it('the invalidation of a tag holds', { timeout: 60_000 }, async () => {
    const { deployment, copy, tagName } = await start(make)
    const [here, there] = [await copy(), await copy()]
    await until(() => there.set('key', 'old', { tags: ['tag'] }))
    await until(async () => (await here.get('key')) === 'old')
    await loseAcknowledged(deployment, tagName('tag'), () => there.invalidateTags(['tag']))
    await heals(here, 'key', ['tag'])
    for (const cache of [here, there, await copy()]) expect(await found(cache, 'key')).toBe('new')
  })

  it('the deletion of a key holds', { timeout: 60_000 }, async () => {
    const { deployment, copy, valueName } = await start(make)
    const [here, there] = [await copy(), await copy()]
    await until(() => there.set('key', 'old'))
    await until(async () => (await here.get('key')) === 'old')
    await loseAcknowledged(deployment, valueName('key'), () => there.delete('key'))
    await heals(here, 'key', [])
    for (const cache of [here, there, await copy()]) expect(await found(cache, 'key')).toBe('new')
  })

  it('a load that began before an invalidation stores nothing that is found, tags named or not', {
    timeout: 60_000,
  }, async () => {
    const { deployment, copy, tagName } = await start(make)
    const [here, there] = [await copy({ leaseMs: 60_000 }), await copy()]
    // Both know every server's history before: what is refused is refused for the invalidation's sake.
    await until(() => there.set('warm', 1, { tags: ['tag'] }))
    await here.getOrSet('warm', () => 1, { tags: ['tag'] })
    const [named, late] = [deferred<string>(), deferred<string>()]
    const loads = [
      here.getOrSet('named', named.loader, { tags: ['tag'] }),
      here.getOrSet('late', late.loader, { tags: () => ['tag'] }),
    ]
    await until(() => named.calls === 1 && late.calls === 1)
    await loseAcknowledged(deployment, tagName('tag'), () => there.invalidateTags(['tag']))
    await heals(there, 'other', ['tag'])
    named.resolve('old')
    late.resolve('old')
    expect(await Promise.all(loads)).toEqual(['old', 'old'])
    for (const cache of [there, await copy()]) {
      expect(await cache.get('named')).toBeUndefined()
      expect(await cache.get('late')).toBeUndefined()
    }
  })
})

it("with `onFailover: 'keep'` what the replica holds is served, invalidated or not", {
  timeout: 60_000,
}, async () => {
  const { deployment, copy, tagName } = await start(sentinel)
  const [here, there] = [await copy({ onFailover: 'keep' }), await copy({ onFailover: 'keep' })]
  await until(() => there.set('key', 'old', { tags: ['tag'] }))
  await until(async () => (await here.get('key')) === 'old')
  await loseAcknowledged(deployment, tagName('tag'), () => there.invalidateTags(['tag']))
  await heals(here, 'other', ['tag'])
  expect(await found(await copy({ onFailover: 'keep' }), 'key')).toBe('old')
})
