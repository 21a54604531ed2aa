import { decodeJwt, decodeProtectedHeader } from 'jose'
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
  const header = decoded(decodeProtectedHeader, token)
  if (header === undefined) return 'malformed'
  const { alg, kid, typ = '' } = header
  if (typeof alg !== 'string' || typeof typ !== 'string') return 'malformed'
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > 256)) return 'malformed'
  if (REFUSED_MEMBERS.some((name) => Object.hasOwn(header, name))) return 'header'
  return { alg: alg as Algorithm, kid, typ: typ.toLowerCase().replace(/^application\//, '') }
}

/** The claims of a canonical token whose signature nobody has checked. `undefined` if they are no JSON object. */
export function readUnverifiedClaims(token: string): Record<string, unknown> | undefined {
  return decoded(decodeJwt, token)
}

/** What one of jose's decoders makes of a token. `undefined` if it is no JSON object. */
export function decoded(
  decoder: (token: string) => object,
  token: string,
): Record<string, unknown> | undefined {
  try {
    return decoder(token) as Record<string, unknown>
  } catch {
    return undefined
  }
}
