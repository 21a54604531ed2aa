import { createRedis, whenReady } from '@scale/redis'
import type { RequestHandler } from 'express'
import { type Cache, createCache } from '../src/index.js'

/** 300 bytes of JSON, as a profile is. */
export function profile(id: string): Record<string, unknown> {
  return {
    id,
    name: 'Ada Lovelace',
    email: 'ada@example.org',
    role: 'member',
    lastSeen: 1_763_600_000_000,
    bio: 'x'.repeat(180),
  }
}

/** A way to answer `GET /:id`. */
export interface Variant {
  readonly handlers: RequestHandler[]
  /** A value under a key, for the bytes it takes. */
  readonly fill?: (key: string) => Promise<unknown>
}

type Make = (redisUrl: string) => Promise<Variant>

const bare: RequestHandler = (req, res) => {
  res.json(profile(req.params.id as string))
}

async function connected(url: string) {
  const redis = createRedis(url)
  await whenReady(redis, 5_000)
  return redis
}

async function ours(url: string, maxBytes?: number): Promise<Cache> {
  const cache = createCache({
    redis: await connected(url),
    ttlMs: 600_000,
    ...(maxBytes === undefined ? {} : { maxBytes }),
  })
  // The invalidation channel proves itself before copies are trusted.
  await cache.set('warm', 1)
  await new Promise((resolve) => setTimeout(resolve, 300))
  return cache
}

function functionCache(getOrSet: (key: string, load: () => Promise<unknown>) => Promise<unknown>): Variant {
  return {
    handlers: [
      (req, res, next) => {
        const id = req.params.id as string
        getOrSet(`profile:${id}`, async () => profile(id)).then((value) => res.json(value), next)
      },
    ],
    fill: (key) => getOrSet(key, async () => profile(key)),
  }
}

async function bento(url: string, layers: 'both' | 'l2'): Promise<Variant> {
  const { BentoCache, bentostore } = await import('bentocache')
  const { memoryDriver } = await import('bentocache/drivers/memory')
  const { redisBusDriver, redisDriver } = await import('bentocache/drivers/redis')
  const { host, port } = new URL(url)
  const connection = { host: host.split(':')[0]!, port: Number(port) }
  const store =
    layers === 'l2'
      ? bentostore().useL2Layer(redisDriver({ connection }))
      : bentostore()
          .useL1Layer(memoryDriver({ maxSize: '64mb' }))
          .useL2Layer(redisDriver({ connection }))
          .useBus(redisBusDriver({ connection }))
  const cache = new BentoCache({ default: 'store', stores: { store } })
  return functionCache((key, factory) => cache.getOrSet({ key, factory, ttl: '10m' }))
}

async function cacheable(url: string): Promise<Variant> {
  const { Cacheable } = await import('cacheable')
  const { default: KeyvRedis } = await import('@keyv/redis')
  const cache = new Cacheable({ secondary: new KeyvRedis(url) as never, ttl: '10m' })
  return functionCache((key, load) => cache.getOrSet(key, load))
}

async function cacheManager(url: string): Promise<Variant> {
  const { createCache: create } = await import('cache-manager')
  const { Keyv } = await import('cacheable')
  const { default: KeyvRedis } = await import('@keyv/redis')
  const cache = create({
    stores: [new Keyv(), new Keyv({ store: new KeyvRedis(url) as never })],
    ttl: 600_000,
  })
  return functionCache((key, load) => cache.wrap(key, load))
}

/** Everything that is compared, in this order. `bare` is what the others are a share of. */
export const VARIANTS: Record<string, Make> = {
  bare: async () => ({ handlers: [bare] }),
  'function, L1 hit': async (url) => {
    const cache = await ours(url)
    return functionCache((key, load) => cache.getOrSet(key, load))
  },
  'function, L2 hit': async (url) => {
    const cache = await ours(url, 0)
    return functionCache((key, load) => cache.getOrSet(key, load))
  },
  'http, L1 hit': async (url) => ({ handlers: [(await ours(url)).http() as RequestHandler, bare] }),
  'http, 304': async (url) => ({ handlers: [(await ours(url)).http() as RequestHandler, bare] }),
  'http, L2 hit': async (url) => ({ handlers: [(await ours(url, 0)).http() as RequestHandler, bare] }),
  'http, miss': async (url) => ({ handlers: [(await ours(url)).http() as RequestHandler, bare] }),
  'apicache, hit': async () => {
    const { default: apicache } = await import('apicache')
    return { handlers: [apicache.middleware('10 minutes'), bare] }
  },
  'bentocache, L1 hit': (url) => bento(url, 'both'),
  'bentocache, L2 hit': (url) => bento(url, 'l2'),
  'cacheable, L1 hit': cacheable,
  'cache-manager, L1 hit': cacheManager,
}
