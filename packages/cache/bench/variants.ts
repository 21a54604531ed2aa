import type { Cache } from '@scale/cache'
import type { RequestText, ServerVariant, Variants } from '@scale/devkit/bench'
import type { RequestHandler } from 'express'

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

const bare: RequestHandler = (req, res) => {
  res.json(profile(req.params.id as string))
}

/** `GET /:id` of ten resources, in turn. */
const hit: RequestText = (number) => `GET /${number % 10} HTTP/1.1\r\nHost: bench\r\n\r\n`
/** Each of a resource that nobody has asked for. */
const miss: RequestText = (number) => `GET /m${number} HTTP/1.1\r\nHost: bench\r\n\r\n`
const conditional: RequestText = (number) =>
  `GET /${number % 10} HTTP/1.1\r\nHost: bench\r\nIf-None-Match: *\r\n\r\n`

export type GetOrSet = (key: string, load: () => Promise<unknown>) => Promise<unknown>

/** A cache of values: what it does with a key and a loader. */
export type MakeGetOrSet = (redisUrl: string) => Promise<GetOrSet>

/** The handler, or what takes its place. */
async function served(...handlers: RequestHandler[]) {
  const { default: express } = await import('express')
  return express().get('/:id', ...handlers)
}

function handlerOf(getOrSet: GetOrSet): RequestHandler {
  return (req, res, next) => {
    const id = req.params.id as string
    getOrSet(`profile:${id}`, async () => profile(id)).then((value) => res.json(value), next)
  }
}

/** A cache of values, behind `GET /:id`; afterwards it is asked how many bytes an entry takes. */
function values(make: MakeGetOrSet, request: RequestText): ServerVariant {
  let getOrSet: GetOrSet
  return {
    serve: async (redisUrl) => {
      getOrSet = await make(redisUrl)
      return served(handlerOf(getOrSet))
    },
    requests: () => request,
    against: AWAITED,
    asked: (entries) => bytesPerEntry(entries as number, getOrSet),
  }
}

async function bytesPerEntry(entries: number, getOrSet: GetOrSet): Promise<number> {
  const before = taken()
  // Twice: a cache that hears of its own writes keeps what it reads afterwards.
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < entries; i++) await getOrSet(`bytes:${i}`, async () => profile(`${i}`))
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return (taken() - before) / entries
}

function taken(): number {
  for (let i = 0; i < 3; i++) globalThis.gc!()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function responses(options: { maxBytes?: number }, request: RequestText, answer?: RegExp): ServerVariant {
  return {
    serve: async (redisUrl) => served((await ours(redisUrl, options)).http() as RequestHandler, bare),
    requests: () => request,
    ...(answer === undefined ? {} : { answer }),
  }
}

async function ours(redisUrl: string, options: { maxBytes?: number } = {}): Promise<Cache> {
  const { createCache } = await import('@scale/cache')
  const { createRedis, whenReady } = await import('@scale/redis')
  const redis = createRedis(redisUrl)
  await whenReady(redis, 5_000)
  // Each variant hears of its own invalidations alone, and not of what others write meanwhile.
  return createCache({ redis, prefix: `bench-${process.pid}`, ttlMs: 600_000, ...options })
}

export function scale(options: { maxBytes?: number } = {}): MakeGetOrSet {
  return async (redisUrl) => {
    const cache = await ours(redisUrl, options)
    return (key, load) => cache.getOrSet(key, load)
  }
}

export function bento(layers: 'both' | 'l2'): MakeGetOrSet {
  return async (redisUrl) => {
    const { BentoCache, bentostore } = await import('bentocache')
    const { memoryDriver } = await import('bentocache/drivers/memory')
    const { redisBusDriver, redisDriver } = await import('bentocache/drivers/redis')
    const { hostname, port } = new URL(redisUrl)
    const connection = { host: hostname, port: Number(port) }
    const l2 = redisDriver({ connection })
    // By itself it keeps 1,000 items, whatever their size.
    const store =
      layers === 'l2'
        ? bentostore().useL2Layer(l2)
        : bentostore()
            .useL1Layer(memoryDriver({ maxSize: '64mb', maxItems: 100_000 }))
            .useL2Layer(l2)
            .useBus(redisBusDriver({ connection }))
    const cache = new BentoCache({ default: 'store', stores: { store } })
    return (key, factory) => cache.getOrSet({ key, factory, ttl: '10m' })
  }
}

export const cacheable: MakeGetOrSet = async (redisUrl) => {
  const { Cacheable } = await import('cacheable')
  const { default: KeyvRedis } = await import('@keyv/redis')
  const cache = new Cacheable({ secondary: new KeyvRedis(redisUrl) as never, ttl: '10m' })
  return (key, load) => cache.getOrSet(key, load)
}

export function cacheManager(layers: 'both' | 'l2'): MakeGetOrSet {
  return async (redisUrl) => {
    const { createCache } = await import('cache-manager')
    const { Keyv } = await import('cacheable')
    const { default: KeyvRedis } = await import('@keyv/redis')
    const l2 = new Keyv({ store: new KeyvRedis(redisUrl) as never })
    const cache = createCache({ stores: layers === 'l2' ? [l2] : [new Keyv(), l2], ttl: 600_000 })
    return (key, load) => cache.wrap(key, load)
  }
}

const apicache: ServerVariant = {
  serve: async () => {
    const { default: module } = await import('apicache')
    return served(module.middleware('10 minutes'), bare)
  },
  requests: () => hit,
}

const NOT_MODIFIED = /^HTTP\/1\.1 304 [\s\S]*Cache-Status: scale; hit/
const HIT_L1 = /^HTTP\/1\.1 200 [\s\S]*Cache-Status: scale; hit;[^\r]* detail=l1/
const HIT_L2 = /^HTTP\/1\.1 200 [\s\S]*Cache-Status: scale; hit;[^\r]* detail=l2/
const AWAITED = 'bare, its answer awaited'
const STORED = /^HTTP\/1\.1 200 [\s\S]*Cache-Status: scale; fwd=uri-miss; stored/

export const variants: Variants<ServerVariant> = {
  bare: { serve: () => served(bare), requests: () => hit },
  // Asked for what it would have made itself: what waiting costs, without a cache.
  [AWAITED]: values(async () => (_key, load) => load(), hit),
  'function, L1 hit': values(scale(), hit),
  'function, L2 hit': values(scale({ maxBytes: 0 }), hit),
  'function, miss': values(scale(), miss),
  'http, L1 hit': responses({}, hit, HIT_L1),
  'http, 304': responses({}, conditional, NOT_MODIFIED),
  'http, L2 hit': responses({ maxBytes: 0 }, hit, HIT_L2),
  'http, miss': responses({}, miss, STORED),
  'apicache, hit': apicache,
  'bentocache, L1 hit': values(bento('both'), hit),
  'bentocache, L2 hit': values(bento('l2'), hit),
  'bentocache, miss': values(bento('both'), miss),
  'cacheable, L1 hit': values(cacheable, hit),
  'cacheable, miss': values(cacheable, miss),
  'cache-manager, L1 hit': values(cacheManager('both'), hit),
  'cache-manager, L2 hit': values(cacheManager('l2'), hit),
  'cache-manager, miss': values(cacheManager('both'), miss),
}
