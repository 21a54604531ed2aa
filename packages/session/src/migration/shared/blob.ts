import { hash } from 'node:crypto'
import { setOwn } from '../../data/merge.js'
import type { LoadedSession, StoredValue } from '../../stores/record.js'
import { digestOf } from '../../stores/token.js'

/** Names the field of ours in a session of express-session; to its copies it is data like any other. */
export const OURS = '@scale/session'

/** What a session of express-session does not say of itself. Copies of express-session carry it along as they found it. */
export interface OurPart {
  readonly createdAt: number
  readonly expiresAt: number
  readonly authenticatedAt?: number
  /** Counts our writes. */
  readonly revision: number
  /** Keys that we have written: the revision, and a hash by which it is seen that somebody else has written since. */
  readonly keys: Readonly<Record<string, readonly [revision: number, hash: number]>>
}

/** A cookie as express-session stores it with a session. */
export interface BlobCookie {
  originalMaxAge?: number | null
  expires?: string | null
  [attribute: string]: unknown
}

/** A session as express-session and connect-redis store it. */
export interface Blob {
  readonly cookie: BlobCookie
  /** Where it has gone, if it was taken over. */
  readonly movedTo: string | undefined
  readonly ours: OurPart | undefined
  readonly data: Readonly<Record<string, unknown>>
}

/** What a blob is read by. */
export interface BlobReading {
  readonly sid: string
  readonly nowMs: number
  /** Left to live; below 0 for ever. */
  readonly ttlMs: number
  readonly idleTimeoutMs: number
  readonly absoluteTimeoutMs: number
  readonly userIdOf: (data: Record<string, unknown>) => string | undefined
}

export function parseBlob(text: string): Blob {
  const { cookie, [OURS]: ours, ...data } = JSON.parse(text) as Record<string, unknown>
  return {
    cookie: (cookie ?? {}) as BlobCookie,
    movedTo: typeof ours === 'string' ? ours : undefined,
    ours: typeof ours === 'object' && ours !== null ? (ours as OurPart) : undefined,
    data,
  }
}

export function blobText(cookie: BlobCookie, data: Readonly<Record<string, unknown>>, ours: OurPart): string {
  const { originalMaxAge } = cookie
  const isKept = typeof originalMaxAge === 'number'
  const expires = isKept ? new Date(Date.now() + originalMaxAge).toISOString() : cookie.expires
  return JSON.stringify({ ...data, cookie: { ...cookie, expires: expires ?? null }, [OURS]: ours })
}

/** A session as the rest of the package knows it. */
export function loadedOf({ cookie, ours, data }: Blob, reading: BlobReading): LoadedSession {
  const { sid, nowMs, ttlMs } = reading
  const { originalMaxAge } = cookie
  const isKept = typeof originalMaxAge === 'number' && originalMaxAge > 0
  const idleTimeoutMs = isKept ? Math.ceil(originalMaxAge) : reading.idleTimeoutMs
  const left = ttlMs < 0 ? idleTimeoutMs : Math.min(ttlMs, idleTimeoutMs)
  const userId = reading.userIdOf({ ...data })
  const createdAt = ours?.createdAt ?? nowMs
  return {
    nowMs,
    listed: true,
    record: {
      digest: digestOf(sid),
      previous: undefined,
      createdAt,
      lastSeenAt: nowMs - idleTimeoutMs + left,
      issuedAt: createdAt,
      idleTimeoutMs,
      expiresAt: ours?.expiresAt ?? nowMs + Math.max(reading.absoluteTimeoutMs, idleTimeoutMs),
      userId,
      authenticatedAt: userId === undefined ? undefined : (ours?.authenticatedAt ?? createdAt),
      persistent: isKept,
      revision: ours?.revision ?? 1,
      data: new Map(Object.entries(data).map(([key, value]) => [key, storedValue(ours, key, value)])),
    },
  }
}

/** A value with the revision of our last write, or with one of its own if a copy of express-session has written since. */
export function storedValue(ours: OurPart | undefined, key: string, value: unknown): StoredValue {
  const text = JSON.stringify(value)
  const [revision, known] = own(ours?.keys, key) ?? [0, -1]
  const actual = hashOf(text)
  return { text, revision: known === actual ? revision : 2 ** 32 + actual }
}

/** Writes down which keys we have written. */
export function withKeys(
  ours: OurPart,
  revision: number,
  written: ReadonlyMap<string, string | undefined>,
): OurPart {
  const keys = { ...ours.keys }
  for (const [key, text] of written) {
    if (text === undefined) delete keys[key]
    else setOwn(keys, key, [revision, hashOf(text)])
  }
  return { ...ours, revision, keys }
}

function hashOf(text: string): number {
  return hash('sha256', text, 'buffer').readUInt32BE()
}

function own<Value>(of: Readonly<Record<string, Value>> | undefined, key: string): Value | undefined {
  return of !== undefined && Object.hasOwn(of, key) ? of[key] : undefined
}
