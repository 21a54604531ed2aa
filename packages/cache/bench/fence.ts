import { createRedis, whenReady } from '@scale/redis'
import { createCache } from '../src/index.js'

/** A cache of values, in its own words. */
interface Contestant {
  readonly name: string
  getOrSet(key: string, load: () => Promise<string>): Promise<string>
  invalidate(key: string): Promise<unknown>
  close(): Promise<unknown>
}

/**
 * A value changes while it is being loaded, and is invalidated before the load ends. Who reads afterwards must get the
 * new value. @returns what each cache gave
 */
export async function invalidateDuringLoad(
  redisUrl: string,
): Promise<Record<string, 'held' | 'served the old value'>> {
  const results: Record<string, 'held' | 'served the old value'> = {}
  for (const contestant of await contestants(redisUrl)) {
    let source = 'old'
    let begun!: () => void
    let finish!: () => void
    const began = new Promise<void>((resolve) => (begun = resolve))
    const mayFinish = new Promise<void>((resolve) => (finish = resolve))
    const key = `fence:${contestant.name}`
    const loading = contestant.getOrSet(key, async () => {
      const value = source
      begun()
      await mayFinish
      return value
    })
    await began
    source = 'new'
    await contestant.invalidate(key)
    finish()
    await loading
    const value = await contestant.getOrSet(key, async () => source)
    results[contestant.name] = value === 'new' ? 'held' : 'served the old value'
    await contestant.close()
  }
  return results
}

async function contestants(redisUrl: string): Promise<Contestant[]> {
  const redis = createRedis(redisUrl)
  await whenReady(redis, 5_000)
  const scale = createCache({ redis, prefix: 'fence' })
  const { BentoCache, bentostore } = await import('bentocache')
  const { memoryDriver } = await import('bentocache/drivers/memory')
  const { redisDriver } = await import('bentocache/drivers/redis')
  const { Cacheable, Keyv } = await import('cacheable')
  const { createCache: createManager } = await import('cache-manager')
  const { default: KeyvRedis } = await import('@keyv/redis')
  const connection = { host: '127.0.0.1', port: Number(new URL(redisUrl).port) }
  const bento = new BentoCache({
    default: 'store',
    stores: {
      store: bentostore()
        .useL1Layer(memoryDriver({ maxSize: '1mb' }))
        .useL2Layer(redisDriver({ connection })),
    },
  })
  const cacheable = new Cacheable({ secondary: new KeyvRedis(redisUrl) as never, ttl: '10m' })
  const manager = createManager({
    stores: [new Keyv(), new Keyv({ store: new KeyvRedis(redisUrl) as never })],
  })
  return [
    {
      name: '@scale/cache, delete',
      getOrSet: (key, load) => scale.getOrSet(key, load),
      invalidate: (key) => scale.delete(key),
      close: async () => {},
    },
    {
      name: '@scale/cache, tag',
      getOrSet: (key, load) => scale.getOrSet(key, load, { tags: ['t'] }),
      invalidate: () => scale.invalidateTags(['t']),
      close: async () => {
        await scale.close()
        redis.disconnect()
      },
    },
    {
      name: 'bentocache, delete',
      getOrSet: (key, factory) => bento.getOrSet({ key, factory, ttl: '10m' }),
      invalidate: (key) => bento.delete({ key }),
      close: async () => {},
    },
    {
      name: 'bentocache, tag',
      getOrSet: (key, factory) => bento.getOrSet({ key, factory, ttl: '10m', tags: ['t'] }),
      invalidate: () => bento.deleteByTag({ tags: ['t'] }),
      close: () => bento.disconnectAll(),
    },
    {
      name: 'cacheable, delete',
      getOrSet: async (key, load) => (await cacheable.getOrSet(key, load))!,
      invalidate: (key) => cacheable.delete(key),
      close: () => cacheable.disconnect(),
    },
    {
      name: 'cache-manager, delete',
      getOrSet: (key, load) => manager.wrap(key, load, 600_000),
      invalidate: (key) => manager.del(key),
      close: () => manager.disconnect(),
    },
  ]
}
