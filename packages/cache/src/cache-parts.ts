import { type InvalidationChannel, invalidationChannel as redisInvalidations } from '@scale/redis'
import { corruptChannel, invalidationChannel } from './channels.js'
import { Entries } from './entries/entries.js'
import type { Frame } from './entries/frame.js'
import { braced, cacheKeys } from './entries/key-names.js'
import { type Coherence, LocalCopies } from './entries/local-copies.js'
import { ValueFormat } from './entries/values.js'
import { decodeResponse } from './http/stored-response.js'
import { Coordinator } from './loads/coordinator.js'
import { type Invalidation, Invalidations } from './loads/invalidations.js'
import { Loads } from './loads/loads.js'
import type { ResolvedCacheOptions } from './options.js'
import type { CacheStore } from './store.js'
import { MemoryStore } from './stores/memory.js'
import { RedisStore } from './stores/redis.js'

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
    const onCorrupt = (reason: 'frame' | 'codec' | 'body', error?: unknown): void => {
      if (corruptChannel.hasSubscribers) corruptChannel.publish({ cache: name, reason, error })
    }
    const channel = redis === undefined ? undefined : redisInvalidations(redis)
    const coherence = channel === undefined ? ALWAYS_TRUSTED : coherenceOf(channel, options.livenessMs)
    this.local = new LocalCopies(maxBytes, coherence)
    this.format = new ValueFormat(options, onCorrupt)
    const store: CacheStore =
      redis === undefined ? new MemoryStore(maxBytes) : new RedisStore(redis, options.prefix, options)
    this.entries = new Entries(store, this.local, {
      decoder: { decode: (frame) => decode(frame, this.format, onCorrupt) },
      leaseMs: options.leaseMs,
      onCorrupt,
      isPending: (tag) => this.invalidations.holdsTag(tag),
    })
    this.coordinator = new Coordinator(this.entries, options)
    this.loads = new Loads(this.coordinator, this.format, options)
    this.invalidations = new Invalidations(store, Math.max(HOUR_MS, 2 * options.loaderTimeoutMs), (error) =>
      this.coordinator.failed('invalidate', error),
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
async function decode(
  frame: Frame,
  format: ValueFormat,
  onCorrupt: (reason: 'body', error: unknown) => void,
): Promise<{ value: unknown; bytes: number } | undefined> {
  try {
    if (frame.kind === 'response') return decodeResponse(frame)
    if (frame.kind === 'vary' || frame.kind === 'uncacheable') {
      return { value: JSON.parse(frame.body.toString()), bytes: frame.body.length * 3 }
    }
  } catch (error) {
    onCorrupt('body', error)
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
