import { randomBytes } from 'node:crypto'
import {
  keyPart,
  keyspace,
  type OperationOptions,
  type RedisClient,
  type StoreGuard,
  storeGuard,
} from '@scale/redis'
import { fillScript, putScript, renewScript } from '../lua/lease.lua.js'
import { loadScript } from '../lua/load.lua.js'
import { invalidateTagScript, openTagScript } from '../lua/tags.lua.js'
import type { CacheStore, LeaseRequest, Loaded, StoredFrame, TagVersion } from '../store.js'

/** Version of the key layout and of the frame. */
const FORMAT = 1

/** The beginnings of the names of the keys of one cache. Values and tags are watched, leases are not. */
export interface CacheKeys {
  readonly values: string
  readonly leases: string
  readonly tags: string
}

export function cacheKeys(prefix: string): CacheKeys {
  const keys = keyspace(prefix, 'cache', FORMAT)
  return { values: `${keys.plain('v')}:`, leases: `${keys.plain('l')}:`, tags: `${keys.plain('t')}:` }
}

/** The name of a key without its beginning: in braces, so that a value and its lease share a slot. */
export function braced(part: string): string {
  return `{${keyPart(part)}}`
}

/** Entries in Redis: a value and a lease per key in one slot, each tag in a slot of its own. */
export class RedisStore implements CacheStore {
  readonly #guard: StoreGuard
  readonly #keys: CacheKeys
  readonly #options: OperationOptions
  readonly #binary: OperationOptions

  /** @param deadlineMs  of each operation. Default: the guard's */
  constructor(client: RedisClient, prefix: string, deadlineMs?: number) {
    this.#guard = storeGuard(client)
    this.#keys = cacheKeys(prefix)
    this.#options = deadlineMs === undefined ? {} : { deadlineMs }
    this.#binary = { ...this.#options, asBuffer: true }
  }

  available(key: string): boolean {
    return this.#guard.available(this.#value(key))
  }

  async load(key: string, { token, leaseMs, rejectedId }: LeaseRequest): Promise<Loaded> {
    const rejected = rejectedId === undefined ? '' : Buffer.from(rejectedId, 'latin1')
    const reply = await this.#guard.run(loadScript, this.#pair(key), [token, leaseMs, rejected], this.#binary)
    const [frame, remainingMs, state, extra] = reply as [Buffer, number, Buffer, number]
    const stored = frame.length === 0 ? undefined : { frame, remainingMs }
    switch (state.toString()) {
      case 'fresh':
        return { state: 'fresh', stored: stored! }
      case 'lead':
        return { state: 'lead', stored, storeNowMs: extra }
      default:
        return { state: 'wait', stored, leaseLeftMs: extra }
    }
  }

  async read(key: string): Promise<StoredFrame | undefined> {
    const value = this.#value(key)
    // In this order, so that a lifetime that is read belongs to the frame or to a later one.
    const [frame, remainingMs] = await Promise.all([
      this.#guard.call('get', [value], this.#binary) as Promise<Buffer | null>,
      this.#guard.call('pttl', [value], this.#options) as Promise<number>,
    ])
    return frame === null || remainingMs <= 0 ? undefined : { frame, remainingMs }
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
    await this.#guard.run(putScript, this.#pair(key), [frame, lifetimeMs], this.#options)
  }

  async remove(key: string): Promise<void> {
    await this.#guard.call('del', this.#pair(key), this.#options)
  }

  openTags(tags: readonly string[], lifetimeMs: number): Promise<TagVersion[]> {
    return Promise.all(
      tags.map(async (tag) => {
        const args = [newVersion(), lifetimeMs]
        return parseTag(
          (await this.#guard.run(openTagScript, [this.#tag(tag)], args, this.#options)) as string,
        )
      }),
    )
  }

  readTags(tags: readonly string[]): Promise<(TagVersion | undefined)[]> {
    return Promise.all(
      tags.map(async (tag) => {
        const text = (await this.#guard.call('get', [this.#tag(tag)], this.#options)) as string | null
        return text === null ? undefined : parseTag(text)
      }),
    )
  }

  async invalidateTags(tags: readonly string[], soft: boolean, lifetimeMs: number): Promise<void> {
    const args = [newVersion(), soft ? '1' : '0', lifetimeMs]
    await Promise.all(
      tags.map((tag) => this.#guard.run(invalidateTagScript, [this.#tag(tag)], args, this.#options)),
    )
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
  return randomBytes(9).toString('base64url')
}

function parseTag(text: string): TagVersion {
  const [hard = '', soft = '', invalidatedAt = '0'] = text.split(':')
  return { version: hard + soft, invalidatedAt: Number(invalidatedAt) }
}
