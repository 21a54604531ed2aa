import { isUtf8 } from 'node:buffer'
import type { Algorithm } from './algorithms.js'

/** What is looked at of a token before its signature is. */
export interface CompactHeader {
  readonly alg: Algorithm
  readonly kid: string | undefined
  /** In lower case, without `application/`; empty if there is none. */
  readonly typ: string
}

const FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/**
 * Whether a text is the one spelling of a compact JWS: three base64url parts that are not empty, without padding, and
 * with zeros in the bits that no byte uses. Decoders accept other spellings of the same token, jose's too, which would pass by
 * a list or cache that is keyed by its text.
 *
 * @see RFC 7515 §2, §7.1 · RFC 4648 §3.5
 */
export function isCanonical(token: string): boolean {
  return FORM.test(token) && token.split('.').every(isCanonicalPart)
}

function isCanonicalPart(part: string): boolean {
  const rest = part.length % 4
  if (rest === 0) return true
  if (rest === 1) return false
  const unused = rest === 2 ? 0b1111 : 0b11
  return (ALPHABET.indexOf(part.at(-1)!) & unused) === 0
}

/** Header members that bring a key along, or ask for processing that nobody here does (RFC 8725 §3.10). */
const REFUSED_MEMBERS = ['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64'] as const

/**
 * Reads the header of a canonical token.
 *
 * @returns the reason if it must be refused
 */
export function readHeader(token: string): CompactHeader | 'malformed' | 'header' {
  const header = readPart(token, 0)
  if (header === undefined) return 'malformed'
  const { alg, kid, typ = '' } = header
  if (typeof alg !== 'string' || typeof typ !== 'string') return 'malformed'
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > 256)) return 'malformed'
  if (REFUSED_MEMBERS.some((name) => Object.hasOwn(header, name))) return 'header'
  return { alg: alg as Algorithm, kid, typ: typ.toLowerCase().replace(/^application\//, '') }
}

/**
 * The header or the claims of a canonical token whose signature nobody has checked. jose reads the header again when it checks
 * that: this is to know whose key to ask for, at a quarter of what its decoder costs.
 *
 * @returns `undefined` if it is no JSON object
 */
export function readPart(token: string, index: 0 | 1): Record<string, unknown> | undefined {
  try {
    const bytes = Buffer.from(token.split('.')[index]!, 'base64url')
    const value: unknown = isUtf8(bytes) ? JSON.parse(bytes.toString()) : undefined
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
