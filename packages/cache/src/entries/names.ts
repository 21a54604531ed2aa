import { InvalidCacheKey } from '../errors.js'
import { HTTP_KEY } from './key-names.js'

const MAX_LENGTH = 1_024
const MAX_TAGS = 64

/** @throws {InvalidCacheKey} not a string of 1 to 1,024 characters, or one that only stored responses may have */
export function assertKey(key: unknown): asserts key is string {
  if (!isName(key)) throw new InvalidCacheKey('key')
}

/** @throws {InvalidCacheKey} as `assertKey` */
export function assertTag(tag: unknown): void {
  if (!isName(tag)) throw new InvalidCacheKey('tag')
}

function isName(value: unknown): boolean {
  return (
    typeof value === 'string' && value.length > 0 && value.length <= MAX_LENGTH && !value.startsWith(HTTP_KEY)
  )
}

/** @throws {InvalidCacheKey} no list, more than 64, or one of them is not a tag */
export function assertTags(tags: readonly unknown[]): void {
  if (!Array.isArray(tags) || tags.length > MAX_TAGS) throw new InvalidCacheKey('tags')
  for (const tag of tags) assertTag(tag)
}
