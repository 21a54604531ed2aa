import type { IncomingHttpHeaders } from 'node:http'
import type { Entry } from '../entry.js'
import type { HttpRequest } from './plan.js'
import { variantOf } from './vary.js'

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
export function keyBehind(entry: Entry, key: string, req: HttpRequest): string {
  const marker = markerOf(entry)
  return marker === undefined ? key : variantKey(key, marker.names, req.headers)
}
