import { createHash } from 'node:crypto'
import { keyPart, keyspace } from '@scale/redis'

/** Version of the key layout and of the frame. */
const FORMAT = 1
/** Keys up to this length can be read from their names; longer ones are hashed. */
const READABLE_LENGTH = 128
/** How keys of stored responses begin; keys of values cannot. They hold URLs, so in Redis they are always hashed. */
export const HTTP_KEY = '\0'

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
  return key.length > READABLE_LENGTH || key.startsWith(HTTP_KEY)
}

/** The name of a key without its beginning: in braces, so that a value and its lease share a slot. */
export function braced(key: string): string {
  if (!key.startsWith(HTTP_KEY)) return `{${keyPart(key)}}`
  return `{~${createHash('sha256').update(key).digest('base64url')}}`
}

/** The key of a name that `braced` gave; `undefined` if it is a hash. */
export function unbraced(name: string): string | undefined {
  const part = name.slice(1, -1)
  if (part.startsWith('~')) return undefined
  if (part === '%') return ''
  if (!part.includes('%')) return part
  return part.replace(/%u([0-9a-f]{4})|(?:%[0-9a-f]{2})+/g, (escaped, unit: string | undefined) =>
    unit === undefined
      ? Buffer.from(escaped.replaceAll('%', ''), 'hex').toString()
      : String.fromCharCode(Number.parseInt(unit, 16)),
  )
}
