import { createHash } from 'node:crypto'
import { InvalidOption, string } from '@scale/core'

/** Longest part of a key that is kept readable, in characters; a longer one is hashed. */
const READABLE_LENGTH = 128

/** The names of one package's keys: `{prefix}:{package}:{version}:…`. */
export interface Keyspace {
  /**
   * A key with a hash tag: all keys with the same `tag` are in one Cluster slot, so that one script may touch them.
   *
   * @param tag    the part that decides the slot; may come from a caller
   * @param parts  further parts; may come from a caller
   */
  tagged(tag: string, ...parts: readonly string[]): string
  /** A key without a hash tag. */
  plain(...parts: readonly string[]): string
}

/**
 * Makes the keys of one package.
 *
 * Parts are length-bounded and escaped: whoever supplies one can choose neither the slot nor another's key.
 *
 * @param prefix   sets apps on one Redis apart. 1–64 letters, digits, `.`, `_`, `-` or `:`
 * @param name     of the package
 * @param version  of the stored format; another version is another set of keys
 * @throws {InvalidOption} the prefix has other characters
 */
export function keyspace(prefix: string, name: string, version: number): Keyspace {
  const wanted = keyPrefix(prefix)
  if (wanted !== undefined) throw new InvalidOption(`${name}: \`prefix\` must be ${wanted}.`)
  const base = `${prefix}:${name}:${version}:`
  return {
    tagged: (tag, ...parts) => `${base}{${keyPart(tag)}}${parts.map((part) => `:${keyPart(part)}`).join('')}`,
    plain: (...parts) => base + parts.map(keyPart).join(':'),
  }
}

/** Checks a `prefix` option. */
export function keyPrefix(value: unknown): string | undefined {
  const wanted = '1 to 64 letters, digits, dots, colons, underscores or hyphens'
  return string(1, 64)(value) === undefined && /^[\w.:-]+$/.test(value as string) ? undefined : wanted
}

/**
 * One part of a key. Letters, digits and `_ . - @ / + =` stay; every other character becomes `%` and its UTF-8
 * bytes in hex, so that two different parts never give the same text. A part longer than 128 characters is replaced
 * by `~` and its SHA-256.
 */
export function keyPart(part: string): string {
  if (part.length > READABLE_LENGTH) return hashed(part)
  if (SAFE_PART.test(part)) return part
  if (part === '') return '%'
  return part.replace(UNSAFE_CHARACTER, escapeCharacter)
}

const SAFE_PART = /^[\w.@/+=-]+$/
const UNSAFE_CHARACTER = /[^\w.@/+=-]/gu

function escapeCharacter(character: string): string {
  // Half a surrogate pair has no UTF-8; all of them would become the same replacement character.
  if (/^[\ud800-\udfff]$/.test(character)) return `%u${character.charCodeAt(0).toString(16)}`
  return Buffer.from(character).reduce((text, byte) => `${text}%${byte.toString(16).padStart(2, '0')}`, '')
}

function hashed(part: string): string {
  return `~${createHash('sha256').update(Buffer.from(part, 'utf16le')).digest('base64url')}`
}
