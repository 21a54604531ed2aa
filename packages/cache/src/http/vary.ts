import { hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Entry } from '../entries/entry.js'
import type { HttpRequest } from './cache-key.js'

/** The value of an entry of kind `vary`: which request fields choose, and the variants there are. */
export interface VaryMarker {
  readonly names: readonly string[]
  readonly variants: readonly string[]
}

export function markerOf(entry: Entry | undefined): VaryMarker | undefined {
  return entry?.kind === 'vary' ? (entry.value as VaryMarker) : undefined
}

/** The key of the variant that these request fields choose. */
export function variantKey(key: string, names: readonly string[], headers: IncomingHttpHeaders): string {
  return `${key}\n#${variantOf(names, headers)}`
}

/** The key of what a request asks for, going by what is stored under the key of its resource. */
export function keyBehind(entry: Entry | undefined, key: string, req: HttpRequest): string {
  const marker = markerOf(entry)
  return marker === undefined ? key : variantKey(key, marker.names, req.headers)
}

/** Fields whose values are as many as there are clients: a response that varies on them is not stored, unless declared. */
const PERSONAL = new Set(['cookie', 'authorization', 'proxy-authorization', 'user-agent'])

/**
 * The request fields that a response depends on.
 *
 * @returns names in lower case, sorted; `undefined` if it depends on more than fields can tell (`*`)
 * @see RFC 9110 §12.5.5 · RFC 9111 §4.1
 */
export function parseVary(field: string | readonly string[] | undefined): string[] | undefined {
  if (field === undefined) return []
  const names = (typeof field === 'string' ? field : field.join(','))
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  return names.includes('*') ? undefined : [...new Set(names)].sort()
}

/** The first of the names that would give each client a variant of its own, and is not declared. */
export function personalField(names: readonly string[], declared: readonly string[]): string | undefined {
  return names.find((name) => PERSONAL.has(name) && !declared.includes(name))
}

/** Names one variant: a hash of the values of the nominated fields. An absent field differs from an empty one. */
function variantOf(names: readonly string[], headers: IncomingHttpHeaders): string {
  const chosen = names.map((name) => {
    const value = normalised(name, headers[name])
    return value === undefined ? `${name}\n` : `${name}:${value.length}:${value}\n`
  })
  return hash('sha256', chosen.join(''), 'base64url').slice(0, 22)
}

function normalised(name: string, value: string | string[] | undefined): string | undefined {
  if (value === undefined) return undefined
  const text = (typeof value === 'string' ? value : value.join(', ')).trim()
  switch (name) {
    case 'accept-encoding':
      return acceptedEncodings(text).join(',')
    case 'accept-language':
      return byPreference(text).join(',')
    default:
      // Around the commas of a list it makes no difference (RFC 9110 §5.6.1); inside of a quoted string it may.
      return text.replace(/"(?:[^"\\]|\\.)*"|\s*,\s*/g, (part) => (part.startsWith('"') ? part : ','))
  }
}

const ENCODINGS = ['br', 'gzip', 'zstd', 'identity']

/** Of the encodings that servers produce, those that a client takes: what else it names makes no difference. */
export function acceptedEncodings(field: string): string[] {
  const weights = weighted(field)
  const any = weights.get('*')
  return ENCODINGS.filter((encoding) => {
    const weight = weights.get(encoding) ?? any ?? (encoding === 'identity' ? 1 : 0)
    return weight > 0
  })
}

/** Languages in the order of preference, in lower case; those that are refused last, with a mark. */
function byPreference(field: string): string[] {
  return [...weighted(field)]
    .sort(([, a], [, b]) => b - a)
    .map(([language, weight]) => (weight === 0 ? `!${language}` : language))
}

function weighted(field: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const part of field.split(',')) {
    const [value = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase())
    if (value === '') continue
    const q = parameters.find((parameter) => parameter.startsWith('q='))
    const weight = q === undefined ? 1 : Number(q.slice(2))
    weights.set(value, Number.isFinite(weight) ? weight : 0)
  }
  return weights
}
