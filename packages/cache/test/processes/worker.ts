import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { createRedis, whenReady } from '@scale/redis'
import { type CacheOptions, createCache } from '../../src/index.js'

/** A process of the fleet: does what its parent tells it. */
export type Order =
  | { readonly kind: 'stampede'; readonly key: string; readonly calls: number; readonly loadMs: number }
  | {
      readonly kind: 'race'
      readonly over: 'calls' | 'http'
      readonly keys: number
      readonly durationMs: number
    }

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

/** How a race reads, and how it invalidates after the source has changed. */
interface Access {
  read(key: string): Promise<{ version: number; isCopy: boolean }>
  /** Begins a load, and waits for none. */
  begin(key: string): void
  /** @returns whether it is acknowledged */
  change(key: string): Promise<boolean>
}

async function versionOf(key: string): Promise<number> {
  const version = Number(await source.get(`version:${key}`))
  await delay(10 + Math.random() * 40)
  return version
}

function byCalls(): Access {
  const ask = (key: string) => cache.getOrSetEntry(key, () => versionOf(key), { tags: [`tag:${key}`] })
  return {
    read: async (key) => {
      const { value, layer } = await ask(key)
      return { version: value, isCopy: layer === 'l1' }
    },
    begin: (key) => void ask(key).catch(() => {}),
    change: (key) => (Math.random() < 0.5 ? cache.delete(key) : cache.invalidateTags([`tag:${key}`])),
  }
}

/** A site of this process. Half of the changes are a PUT to what they change, whose success says that it is acknowledged. */
async function byHttp(): Promise<Access> {
  const middleware = cache.http({
    tags: (req) => [`tag:${req.url}`],
    onUnacknowledged: 'reject',
  })
  const server = createServer((req, res) =>
    middleware(req, res, async (error?: unknown) => {
      if (error !== undefined) res.statusCode = 503
      // A tag that is known with the response alone.
      else if (req.method === 'GET') res.setHeader('Surrogate-Key', `late:${req.url}`)
      res.end(req.method === 'GET' ? String(await versionOf(req.url!)) : '')
    }),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const agent = new Agent({ keepAlive: true })
  const send = async (method: string, path: string) => {
    // All of them are one site.
    const req = request({ port, host: '127.0.0.1', method, path, agent, headers: { host: 'site' } }).end()
    const [res] = (await once(req, 'response')) as [IncomingMessage]
    return { res, body: await text(res) }
  }
  return {
    read: async (key) => {
      const { res, body } = await send('GET', `/${key}`)
      return { version: Number(body), isCopy: /detail=l1/.test(String(res.headers['cache-status'])) }
    },
    begin: (key) => void send('GET', `/${key}`).catch(() => {}),
    change: async (key) => {
      const tag = Math.random() < 0.5 ? 'tag' : 'late'
      if (Math.random() < 0.5) return cache.invalidateTags([`${tag}:/${key}`])
      return (await send('PUT', `/${key}`)).res.statusCode === 200
    },
  }
}

/** Reads and writes at random. A write changes the source, then invalidates, as an app does. */
async function race({ over, keys, durationMs }: Extract<Order, { kind: 'race' }>): Promise<void> {
  const reads: ReadEvent[] = []
  const writes: WriteEvent[] = []
  let hits = 0
  const access = over === 'http' ? await byHttp() : byCalls()
  const sourceOf = (key: string) => `version:${over === 'http' ? '/' : ''}${key}`
  const endsAt = nowMs() + durationMs
  const one = async () => {
    while (nowMs() < endsAt) {
      const key = `key${Math.floor(Math.random() * keys)}`
      if (Math.random() < 0.02) await write(key)
      else {
        const startedAt = nowMs()
        const { version, isCopy } = await access.read(key)
        if (isCopy) hits++
        reads.push({ key, startedAt, version })
      }
      await delay(Math.random() * 4)
    }
  }
  async function write(key: string): Promise<void> {
    // Half of the writes come while the value is being loaded.
    if (Math.random() < 0.5) {
      await access.change(key)
      access.begin(key)
      await delay(5)
    }
    const version = await source.incr(sourceOf(key))
    if (await access.change(key)) writes.push({ key, acknowledgedAt: nowMs(), version })
  }
  await Promise.all(Array.from({ length: 8 }, one))
  report({ kind: 'race', reads, writes, hits })
}

await Promise.all([whenReady(redis, 10_000), whenReady(source, 10_000)])
report({ kind: 'ready' })
