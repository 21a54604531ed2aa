import { InvalidCacheKey } from '../errors.js'
import { RESERVED } from './namespace.js'

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
