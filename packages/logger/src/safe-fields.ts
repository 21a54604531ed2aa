import { EventEmitter } from 'node:events'
import { errorFields, isErrorLike } from './error-fields.js'
import { isSecretName, scrubForeign, scrubText } from './redact.js'

const MAX_DEPTH = 6
const MAX_MEMBERS = 100
const MAX_TEXT = 4_096
const REDACTED = '[redacted]'

/** What clients send, and what libraries keep of it. Never written, whatever is in it. */
const OPAQUE = new Set(['headers', 'rawHeaders', 'body', 'rawBody', 'cookies', 'signedCookies'])
/** What clients send in an address: written without what may be a secret. */
const FOREIGN = new Set(['query', 'params', 'url', 'originalUrl', 'path', 'search'])

type Scrub = (text: string) => string

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

  function members(value: object, depth: number, scrub: Scrub = scrubText): Record<string, unknown> {
    const safe: Record<string, unknown> = {}
    let count = 0
    for (const name of Object.keys(value)) {
      if (++count > MAX_MEMBERS) {
        safe['…'] = 'more'
        break
      }
      const member = read(value, name)
      if (member === undefined || typeof member === 'function' || typeof member === 'symbol') continue
      const isHidden = (isSecret(name) || OPAQUE.has(name)) && !isHarmless(member)
      const text = scrub(name.slice(0, 128))
      safe[text] = isHidden ? REDACTED : safeValue(member, depth, FOREIGN.has(name) ? scrubForeign : scrub)
    }
    return safe
  }

  function safeValue(value: unknown, depth: number, scrub: Scrub): unknown {
    switch (typeof value) {
      case 'string':
        return scrub(value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value)
      case 'object':
        return value === null ? null : safeObject(value, depth, scrub)
      case 'bigint':
        return String(value)
      default:
        return value
    }
  }

  function safeObject(value: object, depth: number, scrub: Scrub): unknown {
    if (isErrorLike(value)) return errorFields(value)
    if (depth === 0) return '[…]'
    if (Array.isArray(value))
      return value.slice(0, MAX_MEMBERS).map((item) => safeValue(item, depth - 1, scrub))
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
    if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`
    if (value instanceof EventEmitter || value instanceof Promise) return `[${value.constructor.name}]`
    const toJson = read(value, 'toJSON')
    if (typeof toJson !== 'function') return members(value, depth - 1, scrub)
    const json: unknown = toJson.call(value)
    return json === value ? members(value, depth - 1, scrub) : safeValue(json, depth - 1, scrub)
  }

  return function safeFields(fields) {
    try {
      return members(fields, MAX_DEPTH)
    } catch {
      return { fields: '[unreadable]' }
    }
  }
}

/** Numbers of tokens, flags about passwords: no secret. */
function isHarmless(value: unknown): boolean {
  return value === null || typeof value === 'number' || typeof value === 'boolean'
}

function read(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name]
  } catch {
    return '[unreadable]'
  }
}
