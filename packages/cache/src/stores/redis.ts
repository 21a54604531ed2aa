import { randomText } from '@scale/core'
import {
  type InvalidationChannel,
  invalidationChannel,
  type OperationOptions,
  type RedisArgument,
  type RedisClient,
  type Script,
  type StoreGuard,
  storeGuard,
} from '@scale/redis'
import { braced, type CacheKeys, cacheKeys } from '../entries/names.js'
import { HISTORY_LENGTH, NO_HISTORY, type OnFailover } from './lua/history.lua.js'
import { fillScript, putScript, removeScript, renewScript } from './lua/lease.lua.js'
import { loadScript, readScript } from './lua/load.lua.js'
import { invalidateTagsScript, openTagScript, readTagScript } from './lua/tags.lua.js'
import type { CacheStore, LeaseRequest, Loaded, StoredFrame, TagVersion } from './store.js'

/** Entries in Redis: a value and a lease per key in one slot, each tag in a slot of its own. */
export class RedisStore implements CacheStore {
  readonly #guard: StoreGuard
  readonly #channel: InvalidationChannel
  readonly #keys: CacheKeys
  readonly #options: OperationOptions
  readonly #binary: OperationOptions
  readonly #scripts: Scripts
  readonly #histories: Histories

  /**
   * @param options.deadlineMs  of each operation. Default: the guard's
   * @param options.onFailover  see `createCache`. Default `reload`
   */
  constructor(
    client: RedisClient,
    prefix: string,
    { deadlineMs, onFailover = 'reload' }: { deadlineMs?: number | undefined; onFailover?: OnFailover } = {},
  ) {
    this.#guard = storeGuard(client)
    this.#channel = invalidationChannel(client)
    this.#keys = cacheKeys(prefix)
    this.#options = deadlineMs === undefined ? {} : { deadlineMs }
    this.#binary = { ...this.#options, asBuffer: true }
    this.#scripts = scriptsOf(onFailover)
    this.#histories = new Histories(onFailover)
  }

  available(key: string): boolean {
    return this.#guard.available(this.#value(key))
  }

  async load(key: string, { token, leaseMs, rejectedId }: LeaseRequest): Promise<Loaded> {
    const rejected = rejectedId === undefined ? '' : Buffer.from(rejectedId, 'latin1')
    const args = [token, leaseMs, rejected]
    const reply = await this.#guard.run(this.#scripts.load, this.#pair(key), args, this.#binary)
    const [bytes, remainingMs, state, extra] = reply as [Buffer, number, Buffer, Buffer | number]
    const stored = storedFrame(bytes, remainingMs)
    switch (state.toString()) {
      case 'fresh':
        return { state: 'fresh', stored: stored! }
      case 'lead':
        this.#histories.see(String(extra))
        return { state: 'lead', stored }
      default:
        return { state: 'wait', stored, leaseLeftMs: Number(extra) }
    }
  }

  async read(keys: readonly string[]): Promise<(StoredFrame | undefined)[]> {
    const names = keys.map((key) => this.#value(key))
    const replies = await Promise.all(
      this.#together(names).map((some) => this.#guard.run(this.#scripts.read, some, [], this.#binary)),
    )
    return (replies.flat() as [Buffer, number][]).map(([bytes, remainingMs]) =>
      storedFrame(bytes, remainingMs),
    )
  }

  async fill(key: string, token: string, frame: Buffer, lifetimeMs: number): Promise<boolean> {
    return (
      (await this.#guard.run(fillScript, this.#pair(key), [token, frame, lifetimeMs], this.#options)) === 1
    )
  }

  async renew(key: string, token: string, leaseMs: number): Promise<boolean> {
    return (await this.#guard.run(renewScript, [this.#lease(key)], [token, leaseMs], this.#options)) === 1
  }

  async release(key: string, token: string): Promise<void> {
    await this.#guard.run(renewScript, [this.#lease(key)], [token, 0], this.#options)
  }

  async put(key: string, frame: Buffer, lifetimeMs: number): Promise<void> {
    await this.#announced(this.#scripts.put, this.#pair(key), [frame, lifetimeMs], 1)
  }

  async remove(key: string): Promise<void> {
    await this.#announced(removeScript, this.#pair(key), [], 1)
  }

  openTags(tags: readonly string[], lifetimeMs: number): Promise<TagVersion[]> {
    return Promise.all(
      tags.map(async (tag) => {
        const args = [newVersion(), lifetimeMs]
        const reply = await this.#guard.run(this.#scripts.openTag, [this.#tag(tag)], args, this.#options)
        const [text, quietForMs, history] = reply as [string, number, string]
        return this.#version(text, history, quietForMs)
      }),
    )
  }

  readTags(tags: readonly string[]): Promise<(TagVersion | undefined)[]> {
    return Promise.all(
      tags.map(async (tag) => {
        const reply = await this.#guard.run(this.#scripts.readTag, [this.#tag(tag)], [], this.#options)
        const [text, quietForMs, history] = reply as [string, number, string]
        return text === '' ? undefined : this.#version(text, history, quietForMs)
      }),
    )
  }

  async invalidateTags(tags: readonly string[], soft: boolean, lifetimeMs: number): Promise<void> {
    const names = tags.map((tag) => this.#tag(tag))
    await Promise.all(
      this.#together(names).map((some) => {
        const args = [newVersion(), soft ? '1' : '0', lifetimeMs, some.length]
        return this.#announced(invalidateTagsScript, some, args, some.length)
      }),
    )
  }

  /** Keys that one script may touch: all of them, in a Cluster one. */
  #together(names: readonly string[]): string[][] {
    return this.#channel.log === undefined ? names.map((name) => [name]) : [[...names]]
  }

  /** Changes keys, and tells all processes of the first of them: in one step, where the log lies in the same slot. */
  async #announced(script: Script, keys: string[], args: RedisArgument[], count: number): Promise<void> {
    const { log } = this.#channel
    await this.#guard.run(script, log === undefined ? keys : [...keys, log], args, this.#options)
    if (log === undefined) await this.#channel.announce(keys.slice(0, count))
  }

  /** A version is good in one history only: another server may have lost the last change of it. */
  #version(text: string, history: string, quietForMs: number): TagVersion {
    const [hard = '', soft = ''] = text.split(':')
    // Whole ms: it may have been up to one later.
    const invalidated = quietForMs < 0 ? Number.NEGATIVE_INFINITY : performance.now() - quietForMs + 1
    return {
      version: history + hard + soft,
      invalidatedAt: invalidated,
      quietSince: Math.max(invalidated, this.#histories.see(history)),
    }
  }

  #value(key: string): string {
    return this.#keys.values + braced(key)
  }

  #lease(key: string): string {
    return this.#keys.leases + braced(key)
  }

  #pair(key: string): [value: string, lease: string] {
    const name = braced(key)
    return [this.#keys.values + name, this.#keys.leases + name]
  }

  #tag(tag: string): string {
    return this.#keys.tags + braced(tag)
  }
}

/** 12 random characters: 72 bits. */
export function newVersion(): string {
  return randomText(9, 'base64url')
}

/** What lies under a key: a frame, and behind it the history in which it was stored. */
function storedFrame(bytes: Buffer, remainingMs: number): StoredFrame | undefined {
  if (bytes.length === 0 || remainingMs <= 0) return undefined
  return { frame: bytes.subarray(0, Math.max(1, bytes.length - HISTORY_LENGTH)), remainingMs }
}

function scriptsOf(onFailover: OnFailover) {
  return {
    load: loadScript(onFailover),
    read: readScript(onFailover),
    put: putScript(onFailover),
    openTag: openTagScript(onFailover),
    readTag: readTagScript(onFailover),
  }
}

type Scripts = ReturnType<typeof scriptsOf>

/** More than a cluster has nodes. */
const MAX_HISTORIES = 1_000

/** Since when this process has known each history of a server. Before that there may have been another. */
class Histories {
  readonly #onFailover: OnFailover
  readonly #firstSeenAt = new Map<string, number>()

  constructor(onFailover: OnFailover) {
    this.#onFailover = onFailover
  }

  /** @returns when it was seen for the first time, by the monotonic clock, in ms */
  see(history: string): number {
    if (this.#onFailover === 'keep') return Number.NEGATIVE_INFINITY
    const known = this.#firstSeenAt.get(history)
    if (known !== undefined) return known
    if (history === NO_HISTORY) warnOfHistory()
    if (this.#firstSeenAt.size >= MAX_HISTORIES) this.#firstSeenAt.clear()
    const nowMs = performance.now()
    this.#firstSeenAt.set(history, nowMs)
    return nowMs
  }
}

function warnOfHistory(): void {
  process.emitWarning(
    'This Redis does not tell its replication id, so a failover may bring back values that were invalidated ' +
      "just before it. Allow INFO to scripts, or say `onFailover: 'keep'` to accept that.",
    { code: 'SCALE_CACHE_NO_HISTORY' },
  )
}
