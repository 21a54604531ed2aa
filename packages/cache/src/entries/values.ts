import type { Reports } from '../channels.js'
import type { ResolvedCacheOptions } from '../options.js'
import { codecTag, compress, decompress } from './codec.js'
import type { Draft, Held } from './entry.js'
import type { Frame, FrameKind } from './frame.js'

/** A value as bytes. */
interface EncodedValue extends Held, Pick<Draft, 'kind' | 'body' | 'compressed' | 'codec'> {
  /** Larger than `maxValueBytes`: given, and not stored. */
  readonly isTooLarge: boolean
}

type ValueFormatOptions = Pick<
  ResolvedCacheOptions,
  'codec' | 'isolation' | 'compressAboveBytes' | 'maxValueBytes'
>

/** Objects of plain values take about so many times the bytes of their JSON. */
const OBJECT_FACTOR = 3
const NOTHING: Buffer = Buffer.alloc(0)

/** Values of functions: how they become bytes, and what every caller is given. */
export class ValueFormat {
  readonly #options: ValueFormatOptions
  readonly #reports: Reports
  readonly #tag: number

  constructor(options: ValueFormatOptions, reports: Reports) {
    this.#options = options
    this.#reports = reports
    this.#tag = codecTag(options.codec)
  }

  /**
   * @returns what is stored, with the value as every caller will see it, from the first on; `isTooLarge` if it is not
   * to be stored
   * @throws what the codec throws
   */
  async encode(value: unknown): Promise<EncodedValue> {
    const { codec, compressAboveBytes, maxValueBytes } = this.#options
    const kind = value === undefined ? 'undefined' : value instanceof Uint8Array ? 'bytes' : 'coded'
    const bytes =
      kind === 'coded'
        ? asBuffer(codec.encode(value))
        : kind === 'bytes'
          ? asBuffer(value as Uint8Array)
          : NOTHING
    const isTooLarge = bytes.length > maxValueBytes
    const compressed = !isTooLarge && compressAboveBytes !== undefined && bytes.length > compressAboveBytes
    return {
      kind,
      isTooLarge,
      body: compressed ? await compress(bytes) : bytes,
      compressed,
      codec: this.#tag,
      ...this.#held(kind, bytes),
    }
  }

  /** What is held of a frame; `undefined` if its body cannot be read. */
  async decode(frame: Frame): Promise<Held | undefined> {
    const { kind, compressed, codec } = frame
    if (codec !== this.#tag || !(kind === 'coded' || kind === 'bytes' || kind === 'undefined')) {
      this.#reports.corrupt('codec')
      return undefined
    }
    try {
      const bytes = compressed ? await decompress(frame.body, this.#options.maxValueBytes) : frame.body
      return this.#held(kind, bytes)
    } catch (error) {
      this.#reports.corrupt('body', error)
      return undefined
    }
  }

  /** What a caller gets of what is held. */
  give(kind: FrameKind, held: unknown): unknown {
    return this.#options.isolation === 'freeze' && kind !== 'bytes'
      ? held
      : this.#decoded(kind, held as Buffer)
  }

  /** For a second caller of one load: with `isolation: 'copy'` an object of its own, and bytes always. */
  share(value: unknown): unknown {
    if (value instanceof Uint8Array) return Buffer.from(value)
    const { isolation, codec } = this.#options
    if (isolation === 'freeze' || typeof value !== 'object' || value === null) return value
    return codec.decode(asBuffer(codec.encode(value)))
  }

  /** Bytes are copied: those from a socket are a view of a chunk of 64 KiB, which one entry would keep alive. */
  #held(kind: FrameKind, bytes: Buffer): Held {
    if (this.#options.isolation === 'copy' || kind === 'bytes') {
      return { value: Buffer.from(bytes), valueBytes: bytes.length + 100 }
    }
    return { value: deepFreeze(this.#decoded(kind, bytes)), valueBytes: bytes.length * OBJECT_FACTOR + 100 }
  }

  #decoded(kind: FrameKind, bytes: Buffer): unknown {
    if (kind === 'undefined') return undefined
    return kind === 'bytes' ? Buffer.from(bytes) : this.#options.codec.decode(bytes)
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Objects and arrays, all the way down. What has a class keeps its own rules. */
function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null && !Array.isArray(value)) return value
  // Frozen before what it holds: it may hold itself.
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
  return value
}
