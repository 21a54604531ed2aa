import { randomBytes } from 'node:crypto'
import {
  type InvalidationChannel,
  invalidationChannel,
  type OperationOptions,
  type RedisClient,
  type StoreGuard,
  storeGuard,
} from '@scale/redis'
import { braced, type CacheKeys, cacheKeys } from '../key-names.js'
import { fillScript, putScript, renewScript } from '../lua/lease.lua.js'
import { loadScript } from '../lua/load.lua.js'
import { invalidateTagScript, openTagScript } from '../lua/tags.lua.js'
import type { CacheStore, LeaseRequest, Loaded, StoredFrame, TagVersion } from '../store.js'

/** Entries in Redis: a value and a lease per key in one slot, each tag in a slot of its own. */
export class RedisStore implements CacheStore {
  readonly #guard: StoreGuard
  readonly #channel: InvalidationChannel
  readonly #keys: CacheKeys
  readonly #options: OperationOptions
  readonly #binary: OperationOptions

  /** @param deadlineMs  of each operation. Default: the guard's */
  constructor(client: RedisClient, prefix: string, deadlineMs?: number) {
    this.#guard = storeGuard(client)
    this.#channel = invalidationChannel(client)
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
    const pair = this.#pair(key)
    await this.#guard.run(putScript, pair, [frame, lifetimeMs], this.#options)
    await this.#channel.announce([pair[0]])
  }

  async remove(key: string): Promise<void> {
    const pair = this.#pair(key)
    await this.#guard.call('del', pair, this.#options)
    await this.#channel.announce([pair[0]])
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
    const names = tags.map((tag) => this.#tag(tag))
    await Promise.all(names.map((name) => this.#guard.run(invalidateTagScript, [name], args, this.#options)))
    await this.#channel.announce(names)
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
