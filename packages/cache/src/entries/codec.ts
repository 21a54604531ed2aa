import { hash } from 'node:crypto'
import { promisify } from 'node:util'
import { deflateRaw, inflateRaw } from 'node:zlib'

/** Turns values into bytes and back. */
export interface Codec {
  /** Names the format. Entries written by a codec of another name are a miss. */
  readonly name: string
  encode(value: unknown): Uint8Array
  /** @throws anything, if the bytes are not of this format: the entry is then a miss */
  decode(bytes: Buffer): unknown
}

/** JSON, as `JSON.stringify` sees it: a `Date` comes back as a string. */
export const jsonCodec: Codec = Object.freeze({
  name: 'json',
  encode: (value: unknown) => {
    const text = JSON.stringify(value)
    if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON`)
    return Buffer.from(text)
  },
  decode: (bytes: Buffer) => JSON.parse(bytes.toString()),
})

/** How a codec is named in a frame. */
export function codecTag(codec: Codec): number {
  return hash('sha256', codec.name, 'buffer').readUInt32BE(0)
}

const deflate = promisify(deflateRaw)
const inflate = promisify(inflateRaw)

/** Off the event loop. The fastest level: a cache is read far more often than it is short of bytes. */
export function compress(bytes: Uint8Array): Promise<Buffer> {
  return deflate(bytes, { level: 1 })
}

/** @throws {RangeError} more than `maxBytes` would come out */
export function decompress(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  return inflate(bytes, { maxOutputLength: maxBytes })
}
