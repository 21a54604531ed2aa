import { hash } from 'node:crypto'
import { keyPart, keyspace } from '@scale/redis'
import { InvalidCacheKey } from '../errors.js'
import { keyIn, pathOf, RESERVED } from './namespace.js'

/** Version of the key layout and of the frame. */
const FORMAT = 1
/** Keys up to this length can be read from their names; longer ones are hashed. */
const READABLE_LENGTH = 128
/** How keys of stored responses begin. They hold URLs, so in Redis they are always hashed. */
export const HTTP_KEY: string = `${RESERVED}h`

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

/** True if the key cannot be read from its name. */
export function isHashed(key: string): boolean {
  const [, own] = pathOf(key) ?? ['', key]
  return own.length > READABLE_LENGTH || own.startsWith(RESERVED)
}

/** The name of a key without its beginning: in braces, so that a value and its lease share a slot. */
export function braced(key: string): string {
  if (!key.startsWith(RESERVED)) return `{${keyPart(key)}}`
  const inside = pathOf(key)
  // No part of a name has a colon of its own.
  if (inside !== undefined) return `{${keyPart(inside[0])}:${keyPart(inside[1])}}`
  return `{~${hash('sha256', key, 'base64url')}}`
}

/** The key of a name that `braced` gave; `undefined` if it is a hash. */
export function unbraced(name: string): string | undefined {
  const parts = name.slice(1, -1).split(':')
  const [own, path] = parts.reverse().map(unescaped)
  if (own === undefined || (parts.length > 1 && path === undefined)) return undefined
  return parts.length > 1 ? keyIn(path!, own) : own
}

function unescaped(part: string): string | undefined {
  if (part.startsWith('~')) return undefined
  if (part === '%') return ''
  if (!part.includes('%')) return part
  return part.replace(/%u([0-9a-f]{4})|(?:%[0-9a-f]{2})+/g, (escaped, unit: string | undefined) =>
    unit === undefined
      ? Buffer.from(escaped.replaceAll('%', ''), 'hex').toString()
      : String.fromCharCode(Number.parseInt(unit, 16)),
  )
}

const MAX_LENGTH = 1_024
const MAX_TAGS = 64
const RESERVED_CODE = RESERVED.charCodeAt(0)

/** @throws {InvalidCacheKey} not a string of 1 to 1,024 characters, or one that begins as those of the cache itself do */
export function assertKey(key: unknown): asserts key is string {
  if (!isKey(key)) throw new InvalidCacheKey('key')
}

/** @throws {InvalidCacheKey} as `assertKey` */
export function assertTag(tag: unknown): void {
  if (!isKey(tag)) throw new InvalidCacheKey('tag')
}

/** Whether an app may use it as a key, or a tag. */
export function isKey(value: unknown): value is string {
  if (typeof value !== 'string') return false
  // Asked for each hit: a comparison of two numbers.
  return value.length > 0 && value.length <= MAX_LENGTH && value.charCodeAt(0) !== RESERVED_CODE
}

/** @throws {InvalidCacheKey} not 1 to 64 letters, digits, dots, underscores or hyphens */
export function assertNamespace(name: unknown): void {
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) throw new InvalidCacheKey('namespace')
}

/** @throws {InvalidCacheKey} no list, more than 64, or one of them is not a tag */
export function assertTags(tags: readonly unknown[]): void {
  if (!Array.isArray(tags) || tags.length > MAX_TAGS) throw new InvalidCacheKey('tags')
  for (const tag of tags) assertTag(tag)
}
