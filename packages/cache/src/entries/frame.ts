import { VERSION_LENGTH } from '../stores/store.js'

/**
 * How an entry lies in the store: one binary frame.
 *
 * | offset | bytes | what |
 * |---|---|---|
 * | 0 | 1 | magic, 0xC5 |
 * | 1 | 1 | format version, 1 |
 * | 2 | 1 | kind of the body |
 * | 3 | 1 | flags: 1 = body is compressed (raw deflate) |
 * | 4 | 4 | grace: for how long the store keeps the entry after it went stale, in ms. Read by `stores/lua/load.lua.ts` |
 * | 8 | 4 | stale-while-revalidate, in ms |
 * | 12 | 4 | stale-if-error, in ms |
 * | 16 | 4 | what loading it cost, in ms |
 * | 20 | 4 | longest stay in a process, in ms; 0 for as long as it is fresh |
 * | 24 | 8 | id, random. Read by `stores/lua/load.lua.ts` |
 * | 32 | 4 | codec |
 * | 36 | 2 | number of tags; then for each: length (2), name, version (40) |
 * | … | | body |
 *
 * Numbers are big-endian. How long it stays fresh is not in the frame: it is the key's time to live minus the grace,
 * so that only the store's clock counts.
 */
const MAGIC = 0xc5
const VERSION = 1
const HEADER_BYTES = 38
const VERSION_BYTES = VERSION_LENGTH
const COMPRESSED = 1
const MAX_U32 = 0xffff_ffff

/** What the body is. */
export type FrameKind = 'coded' | 'undefined' | 'bytes' | 'response' | 'vary' | 'uncacheable'
const KINDS: readonly FrameKind[] = ['coded', 'undefined', 'bytes', 'response', 'vary', 'uncacheable']

/** A tag as it was when the entry's load began. */
export interface TagStamp {
  readonly tag: string
  /** As the store had it. */
  readonly version: string
}

/** An entry, apart from its remaining lifetime, which the store knows. */
export interface Frame {
  readonly kind: FrameKind
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  readonly costMs: number
  /** 0: as long as it is fresh. */
  readonly l1TtlMs: number
  /** 8 bytes as latin1. */
  readonly id: string
  readonly codec: number
  readonly tags: readonly TagStamp[]
  readonly compressed: boolean
  readonly body: Buffer
}

/** For how long the store keeps an entry after it went stale, in ms. */
export function graceMsOf(frame: Pick<Frame, 'staleWhileRevalidateMs' | 'staleIfErrorMs'>): number {
  return clamp(Math.max(frame.staleWhileRevalidateMs, frame.staleIfErrorMs))
}

export function encodeFrame(frame: Frame): Buffer {
  const names = frame.tags.map(({ tag }) => Buffer.from(tag))
  const tagBytes = names.reduce((sum, name) => sum + 2 + name.length + VERSION_BYTES, 0)
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + tagBytes + frame.body.length)
  bytes[0] = MAGIC
  bytes[1] = VERSION
  bytes[2] = KINDS.indexOf(frame.kind)
  bytes[3] = frame.compressed ? COMPRESSED : 0
  bytes.writeUInt32BE(graceMsOf(frame), 4)
  bytes.writeUInt32BE(clamp(frame.staleWhileRevalidateMs), 8)
  bytes.writeUInt32BE(clamp(frame.staleIfErrorMs), 12)
  bytes.writeUInt32BE(clamp(frame.costMs), 16)
  bytes.writeUInt32BE(clamp(frame.l1TtlMs), 20)
  bytes.write(frame.id, 24, 8, 'latin1')
  bytes.writeUInt32BE(frame.codec, 32)
  bytes.writeUInt16BE(frame.tags.length, 36)
  let at = HEADER_BYTES
  for (const [index, name] of names.entries()) {
    at = bytes.writeUInt16BE(name.length, at)
    at += name.copy(bytes, at)
    at += bytes.write(frame.tags[index]!.version, at, VERSION_BYTES, 'latin1')
  }
  frame.body.copy(bytes, at)
  return bytes
}

/** @returns `undefined` for anything that is not a complete frame of this version; the body is a view, not a copy */
export function decodeFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] !== MAGIC || bytes[1] !== VERSION) return undefined
  const kind = KINDS[bytes[2]!]
  if (kind === undefined || bytes[3]! > COMPRESSED) return undefined
  const tags: TagStamp[] = []
  let at = HEADER_BYTES
  for (let left = bytes.readUInt16BE(36); left > 0; left--) {
    if (at + 2 > bytes.length) return undefined
    const nameEnd = at + 2 + bytes.readUInt16BE(at)
    if (nameEnd + VERSION_BYTES > bytes.length) return undefined
    tags.push({
      tag: bytes.toString('utf8', at + 2, nameEnd),
      version: bytes.toString('latin1', nameEnd, nameEnd + VERSION_BYTES),
    })
    at = nameEnd + VERSION_BYTES
  }
  return {
    kind,
    compressed: bytes[3] === COMPRESSED,
    staleWhileRevalidateMs: bytes.readUInt32BE(8),
    staleIfErrorMs: bytes.readUInt32BE(12),
    costMs: bytes.readUInt32BE(16),
    l1TtlMs: bytes.readUInt32BE(20),
    id: bytes.toString('latin1', 24, 32),
    codec: bytes.readUInt32BE(32),
    tags,
    body: bytes.subarray(at),
  }
}

/** Grace and id of a frame, read where `stores/lua/load.lua.ts` reads them. */
export function frameIdentity(bytes: Buffer): { graceMs: number; id: string } | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] !== MAGIC) return undefined
  return { graceMs: bytes.readUInt32BE(4), id: bytes.toString('latin1', 24, 32) }
}

function clamp(ms: number): number {
  return Math.min(MAX_U32, Math.max(0, Math.ceil(ms)))
}
