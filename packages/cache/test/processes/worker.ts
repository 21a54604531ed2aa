import { setTimeout as delay } from 'node:timers/promises'
import { createRedis, whenReady } from '@scale/redis'
import { type CacheOptions, createCache } from '../../src/index.js'

/** A process of the fleet: does what its parent tells it. */
export type Order =
  | { readonly kind: 'stampede'; readonly key: string; readonly calls: number; readonly loadMs: number }
  | { readonly kind: 'race'; readonly keys: number; readonly durationMs: number }

export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'loading' }
  | { readonly kind: 'values'; readonly values: string[] }
  | {
      readonly kind: 'race'
      readonly reads: ReadEvent[]
      readonly writes: WriteEvent[]
      readonly hits: number
    }

/** Points in time are of the machine's monotonic clock, which all processes share, in ms. */
export interface ReadEvent {
  readonly key: string
  readonly startedAt: number
  readonly version: number
}
export interface WriteEvent {
  readonly key: string
  readonly acknowledgedAt: number
  readonly version: number
}

const { CACHE_URL = '', SOURCE_URL = '', PREFIX = '', OPTIONS = '{}', RECONNECT_AFTER_MS } = process.env
const redis = createRedis(CACHE_URL, {
  maxReconnectDelayMs: 100,
  guard: RECONNECT_AFTER_MS === undefined ? {} : { reconnectAfterMs: Number(RECONNECT_AFTER_MS) },
})
/** What the values come from: always there. */
const source = createRedis(SOURCE_URL)
const cache = createCache({
  redis,
  prefix: PREFIX,
  ttlMs: 600_000,
  ...(JSON.parse(OPTIONS) as CacheOptions),
})

const report = (message: Report) => process.send!(message)
const nowMs = () => Number(process.hrtime.bigint()) / 1e6

process.on('message', (order: Order) => {
  const work = order.kind === 'stampede' ? stampede(order) : race(order)
  work.catch((error) => {
    console.error(error)
    process.exit(1)
  })
})
process.on('disconnect', () => process.exit())

async function stampede({ key, calls, loadMs }: Extract<Order, { kind: 'stampede' }>): Promise<void> {
  const load = async () => {
    await source.incr(`loads:${key}`)
    report({ kind: 'loading' })
    await delay(loadMs)
    return `value of ${process.pid}`
  }
  const values = await Promise.all(Array.from({ length: calls }, () => cache.getOrSet(key, load)))
  report({ kind: 'values', values })
}

/** Reads and writes at random. A write changes the source, then invalidates, as an app does. */
async function race({ keys, durationMs }: Extract<Order, { kind: 'race' }>): Promise<void> {
  const reads: ReadEvent[] = []
  const writes: WriteEvent[] = []
  let hits = 0
  const endsAt = nowMs() + durationMs
  const one = async () => {
    while (nowMs() < endsAt) {
      const number = Math.floor(Math.random() * keys)
      const key = `key${number}`
      if (Math.random() < 0.02) await write(key)
      else {
        const startedAt = nowMs()
        const { value, layer } = await cache.getOrSetEntry(key, loader(key), { tags: [`tag:${key}`] })
        if (layer === 'l1') hits++
        reads.push({ key, startedAt, version: value })
      }
      await delay(Math.random() * 4)
    }
  }
  function loader(key: string): () => Promise<number> {
    return async () => {
      const version = Number(await source.get(`version:${key}`))
      await delay(10 + Math.random() * 40)
      return version
    }
  }
  async function write(key: string): Promise<void> {
    // Half of the writes come while the value is being loaded.
    if (Math.random() < 0.5) {
      await cache.delete(key)
      cache.getOrSet(key, loader(key), { tags: [`tag:${key}`] }).catch(() => {})
      await delay(5)
    }
    const version = await source.incr(`version:${key}`)
    const acknowledged = await (Math.random() < 0.5
      ? cache.delete(key)
      : cache.invalidateTags([`tag:${key}`]))
    if (acknowledged) writes.push({ key, acknowledgedAt: nowMs(), version })
  }
  await Promise.all(Array.from({ length: 8 }, one))
  report({ kind: 'race', reads, writes, hits })
}

await Promise.all([whenReady(redis, 10_000), whenReady(source, 10_000)])
report({ kind: 'ready' })
