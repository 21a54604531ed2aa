import { type InvalidationChannel, invalidationChannel as redisInvalidations } from '@scale/redis'
import { invalidationChannel, Reports } from '../channels.js'
import { Coordinator } from '../coordination/coordinator.js'
import { type Invalidation, Invalidations } from '../coordination/invalidations.js'
import { Entries } from '../entries/entries.js'
import type { Entry, Held } from '../entries/entry.js'
import type { Frame } from '../entries/frame.js'
import { type Coherence, LocalCopies } from '../entries/local-copies.js'
import { braced, cacheKeys } from '../entries/names.js'
import { TagFence } from '../entries/tag-fence.js'
import { ValueFormat } from '../entries/values.js'
import { decodeResponse } from '../http/stored-response.js'
import type { ResolvedCacheOptions } from '../options.js'
import { MemoryStore } from '../stores/memory.js'
import { RedisStore } from '../stores/redis.js'
import type { CacheStore } from '../stores/store.js'
import { Loads } from './loads.js'

/** Keys of one call that are read, stored or deleted at a time. */
export const BATCH = 200
const HOUR_MS = 3_600_000
const ALWAYS_TRUSTED: Coherence = { trusted: () => true, silentForMs: () => 0 }

/** What a cache, its namespaces and its middleware share. */
export class CacheParts {
  readonly options: ResolvedCacheOptions
  readonly local: LocalCopies
  readonly entries: Entries
  readonly format: ValueFormat
  readonly coordinator: Coordinator
  readonly loads: Loads
  readonly invalidations: Invalidations
  readonly #stopWatching: () => void

  constructor(options: ResolvedCacheOptions) {
    this.options = options
    const { name, redis, maxBytes } = options
    const reports = new Reports(name)
    const channel = redis === undefined ? undefined : redisInvalidations(redis)
    const coherence = channel === undefined ? ALWAYS_TRUSTED : coherenceOf(channel, options.livenessMs)
    this.local = new LocalCopies(maxBytes, coherence)
    this.format = new ValueFormat(options, reports)
    const store: CacheStore =
      redis === undefined ? new MemoryStore(maxBytes) : new RedisStore(redis, options.prefix, options)
    this.entries = new Entries({
      store,
      local: this.local,
      fence: new TagFence(store, (tag) => this.invalidations.holdsTag(tag)),
      leaseMs: options.leaseMs,
      decode: (frame) => decode(frame, this.format, reports),
      onCorrupt: () => reports.corrupt('frame'),
    })
    this.coordinator = new Coordinator(this.entries, reports, options)
    this.loads = new Loads(this.coordinator, this.format, options)
    this.invalidations = new Invalidations(store, Math.max(HOUR_MS, 2 * options.loaderTimeoutMs), (error) =>
      reports.storeError('invalidate', error),
    )
    this.#stopWatching = channel !== undefined && maxBytes > 0 ? this.#watch(channel) : () => {}
  }

  /** Before, so that this process sees it at once; and after, because a read may have come in between. */
  async invalidate(invalidation: Invalidation): Promise<boolean> {
    this.#overtake(invalidation)
    const acknowledged = await this.invalidations.send(invalidation)
    this.#overtake(invalidation)
    if (invalidationChannel.hasSubscribers) {
      const isKey = invalidation.kind === 'key'
      const kind = isKey ? 'key' : invalidation.soft ? 'tags-soft' : 'tags'
      const count = isKey ? 1 : invalidation.tags.length
      invalidationChannel.publish({ cache: this.options.name, kind, count, acknowledged })
    }
    return acknowledged
  }

  /** In the store, what may be read of it: not what was deleted, as long as the store does not know that. */
  async readable(names: readonly string[]): Promise<ReadonlyMap<string, Entry>> {
    const { entries, invalidations, coordinator } = this
    const found = new Map<string, Entry>()
    for (let i = 0; i < names.length; i += BATCH) {
      const settled = await Promise.all(
        names.slice(i, i + BATCH).map(async (name) => {
          const isReadable = !invalidations.holds(name) || (await invalidations.settle(name))
          return isReadable && entries.store.available(name) ? [name] : []
        }),
      )
      const readable = settled.flat()
      if (readable.length === 0) continue
      try {
        const read = await entries.read(readable)
        for (const [index, entry] of read.entries())
          if (entry !== undefined) found.set(readable[index]!, entry)
      } catch (error) {
        coordinator.reports.storeError('read', error)
        return found
      }
    }
    return found
  }

  async close(): Promise<boolean> {
    this.#stopWatching()
    const acknowledged = await this.invalidations.close()
    this.local.invalidateAll()
    return acknowledged
  }

  #overtake(invalidation: Invalidation): void {
    if (invalidation.kind === 'key') this.coordinator.overtakeKey(invalidation.key)
    else for (const tag of invalidation.tags) this.coordinator.overtakeTag(braced(tag))
  }

  /** What other processes invalidate, and this one too. */
  #watch(channel: InvalidationChannel): () => void {
    const { values, tags } = cacheKeys(this.options.prefix)
    return channel.watch({
      prefixes: [values, tags],
      livenessMs: this.options.livenessMs,
      onKey: (name) => {
        if (name.startsWith(tags)) return this.coordinator.overtakeTag(name.slice(tags.length))
        const key = this.local.keyOf(name.slice(values.length))
        if (key !== undefined) this.coordinator.overtakeKey(key)
      },
      onLoss: () => this.coordinator.overtakeAll(),
    })
  }
}

/** Values of functions, or responses: the frame says which. */
async function decode(frame: Frame, format: ValueFormat, reports: Reports): Promise<Held | undefined> {
  try {
    if (frame.kind === 'response') return decodeResponse(frame)
    if (frame.kind === 'vary' || frame.kind === 'uncacheable') {
      return { value: JSON.parse(frame.body.toString()), valueBytes: frame.body.length * 3 }
    }
  } catch (error) {
    reports.corrupt('body', error)
    return undefined
  }
  return format.decode(frame)
}

function coherenceOf(channel: InvalidationChannel, livenessMs: number): Coherence {
  return {
    trusted: (nowMs) => channel.silentForMs(nowMs) < livenessMs,
    silentForMs: (nowMs) => Math.max(0, channel.silentForMs(nowMs) - livenessMs),
  }
}
