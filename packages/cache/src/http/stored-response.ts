import type { Held } from '../entries/entry.js'
import type { Frame } from '../entries/frame.js'
import type { HeaderLine } from './fields.js'
import type { Validators } from './validation.js'

/** A response as it lies in the cache, ready to be sent. */
export interface StoredResponse {
  readonly status: number
  readonly statusMessage: string | undefined
  /** Only what was set downstream of the middleware. */
  readonly headers: readonly HeaderLine[]
  readonly body: Buffer
  /** A small body once more, one character for each byte: Node sends it in one piece with the head. */
  readonly text: string | undefined
  /** Freshness lifetime from its generation on, in ms: what is left of it tells the age. */
  readonly lifetimeMs: number
  readonly staleIfErrorMs: number
  /** It is kept to be revalidated, and is never served without. */
  readonly isNeverFresh: boolean
  /** Request fields that chose it. */
  readonly vary: readonly string[]
  /** It may be sent in another content coding, and says so in `Vary`. */
  readonly encodable: boolean
  readonly validators: Validators
}

type Meta = Omit<StoredResponse, 'body' | 'text' | 'validators'>

const SMALL_BYTES = 4_096

/** `[length of the description, 4 bytes][description as JSON][body]` */
export function encodeResponse(response: StoredResponse): Buffer {
  const { body, text: _text, validators: _validators, ...meta } = response
  const json = Buffer.from(JSON.stringify(meta satisfies Meta))
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32BE(json.length)
  return Buffer.concat([length, json, body])
}

/** @throws anything, if it is not such a body */
export function decodeResponse(frame: Pick<Frame, 'body'>): Held & { value: StoredResponse } {
  const end = 4 + frame.body.readUInt32BE(0)
  const meta = JSON.parse(frame.body.toString('utf8', 4, end)) as Meta
  // A copy: the frame is a view of a chunk that a socket gave.
  const value = { ...meta, statusMessage: meta.statusMessage, body: Buffer.from(frame.body.subarray(end)) }
  return { value: prepared(value), valueBytes: frame.body.length * 2 }
}

/** A response with what is worked out once: its validators, and its body as text. */
export function prepared(response: Omit<StoredResponse, 'validators' | 'text'>): StoredResponse {
  const find = (wanted: string): string | undefined => {
    const line = response.headers.find(([name]) => name.toLowerCase() === wanted)
    return line === undefined ? undefined : String(line[1])
  }
  const { body } = response
  return {
    ...response,
    text: body.length <= SMALL_BYTES ? body.toString('latin1') : undefined,
    validators: { etag: find('etag'), lastModified: find('last-modified'), date: find('date') },
  }
}
