import { EventEmitter } from 'node:events'
import { errorFields, isErrorLike } from './error-fields.js'
import { isCardNumber, isSecretName, scrubForeign, scrubText } from './redact.js'

const MAX_DEPTH = 6
const MAX_MEMBERS = 100
/** Of one line: values of any kind, and characters of text and names. */
const MAX_NODES = 1_000
const MAX_CHARACTERS = 32_768
/** What an error with its stack and its causes counts for. */
const ERROR_NODES = 25
const REDACTED = '[redacted]'

/** What clients send, and what libraries keep of it. Never written, whatever is in it. */
const OPAQUE = new Set(['headers', 'rawHeaders', 'body', 'rawBody', 'cookies', 'signedCookies'])
/** What clients send in an address: written without what may be a secret. */
const FOREIGN = new Set(['query', 'params', 'url', 'originalUrl', 'path', 'search'])

type Scrub = (text: string) => string

/** What is left of the budget of one line, and the objects that the walk is inside of. */
interface Walk {
  nodes: number
  characters: number
  readonly inside: Set<object>
}

/** Makes of any object what may be written: see `safeFields`. */
export type SafeFields = (fields: object) => Record<string, unknown>

/**
 * What may be written of the fields of a line: values of telling names and secrets in text are left out, errors become
 * `ErrorFields` wherever they are, requests, sockets and clients their class name; depth, length and number are bounded.
 *
 * @param moreNames  further names whose values are secret, whatever their case
 */
export function safeFields(moreNames: readonly string[] = []): SafeFields {
  const more = new Set(moreNames.map((name) => name.toLowerCase()))
  const isSecret = (name: string): boolean => isSecretName(name) || more.has(name.toLowerCase())

  function members(
    walk: Walk,
    value: object,
    depth: number,
    scrub: Scrub = scrubText,
  ): Record<string, unknown> {
    const safe: Record<string, unknown> = {}
    let count = 0
    for (const name of Object.keys(value)) {
      if (++count > MAX_MEMBERS || isSpent(walk)) {
        safe['…'] = 'more'
        break
      }
      const member = read(value, name)
      if (member === undefined || typeof member === 'function' || typeof member === 'symbol') continue
      const isHidden = (isSecret(name) || OPAQUE.has(name)) && !isHarmless(name, member)
      const text = scrub(name.slice(0, 128))
      walk.characters -= text.length
      safe[text] = isHidden
        ? REDACTED
        : safeValue(walk, member, depth, FOREIGN.has(name) ? scrubForeign : scrub)
    }
    return safe
  }

  function safeValue(walk: Walk, value: unknown, depth: number, scrub: Scrub): unknown {
    walk.nodes--
    switch (typeof value) {
      case 'string':
        return safeText(walk, value, scrub)
      case 'object':
        return value === null ? null : safeObject(walk, value, depth, scrub)
      case 'bigint':
        return safeText(walk, String(value), scrub)
      case 'number':
        return isCardNumber(String(value)) ? REDACTED : value
      default:
        return value
    }
  }

  function safeText(walk: Walk, value: string, scrub: Scrub): string {
    if (walk.characters <= 0) return '…'
    const text = scrub(value)
    walk.characters -= text.length
    return text
  }

  function safeObject(walk: Walk, value: object, depth: number, scrub: Scrub): unknown {
    if (walk.inside.has(value)) return '[circular]'
    if (depth === 0 || isSpent(walk)) return '[…]'
    if (isErrorLike(value)) {
      walk.nodes -= ERROR_NODES
      const error = errorFields(value)
      walk.characters -= JSON.stringify(error).length
      return error
    }
    walk.inside.add(value)
    const safe = opened(walk, value, depth, scrub)
    walk.inside.delete(value)
    return safe
  }

  function opened(walk: Walk, value: object, depth: number, scrub: Scrub): unknown {
    if (Array.isArray(value)) return items(walk, value, depth - 1, scrub)
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
    if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`
    if (value instanceof EventEmitter || value instanceof Promise) return `[${value.constructor.name}]`
    const toJson = read(value, 'toJSON')
    if (typeof toJson !== 'function') return members(walk, value, depth - 1, scrub)
    const json: unknown = toJson.call(value)
    return json === value ? members(walk, value, depth - 1, scrub) : safeValue(walk, json, depth - 1, scrub)
  }

  function items(walk: Walk, values: readonly unknown[], depth: number, scrub: Scrub): unknown[] {
    const safe: unknown[] = []
    for (const item of values.slice(0, MAX_MEMBERS)) {
      if (isSpent(walk)) break
      safe.push(safeValue(walk, item, depth, scrub))
    }
    return safe
  }

  return function safeFields(fields) {
    try {
      const walk = { nodes: MAX_NODES, characters: MAX_CHARACTERS, inside: new Set([fields]) }
      return members(walk, fields, MAX_DEPTH)
    } catch {
      return { fields: '[unreadable]' }
    }
  }
}

function isSpent({ nodes, characters }: Walk): boolean {
  return nodes <= 0 || characters <= 0
}

/** Of a name that ends so a number may be the secret itself: a code, a pin. */
const SECRET_NOUNS = new Set([
  ...[
    'otp',
    'totp',
    'pin',
    'cvv',
    'cvc',
    'iban',
    'pass',
    'password',
    'passwd',
    'passcode',
    'passphrase',
    'pwd',
  ],
  ...['secret', 'token', 'key', 'credential', 'signature', 'cookie'],
])
/** Numbers of tokens, times of theirs. */
const COUNTS = new Set([
  ...[
    'tokens',
    'keys',
    'attempts',
    'count',
    'total',
    'length',
    'size',
    'version',
    'limit',
    'max',
    'min',
    'ttl',
  ],
  ...['ms', 'at', 'bytes', 'seconds'],
])

/** By its words: `tokenCount`, `max_tokens`, and not `accountPin`. */
function isCounted(name: string): boolean {
  const words = name
    .slice(-128)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
  return !SECRET_NOUNS.has(words.at(-1)!) && words.some((word) => COUNTS.has(word))
}

/** Flags about passwords, and what is counted, are no secret. */
function isHarmless(name: string, value: unknown): boolean {
  return value === null || typeof value === 'boolean' || (typeof value === 'number' && isCounted(name))
}

function read(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name]
  } catch {
    return '[unreadable]'
  }
}
