import type { SessionRecord, StoredValue } from '../record.js'

/** The format that is written, and the only one that is read. Its fields are listed in lua/prelude.lua.ts. */
export const FORMAT = '1'

/** The field of a top-level key of the data. */
export function dataField(key: string): string {
  return `.${key}`
}

/** The key of a data field. */
export function keyOf(field: string): string {
  return field.slice(1)
}

/** Reads `<revision> <text>`; an empty text is a key that is not there. */
export function readValue(value: string): { revision: number; text: string | undefined } {
  if (value === '') return { revision: 0, text: undefined }
  const space = value.indexOf(' ')
  return { revision: Number(value.slice(0, space)), text: value.slice(space + 1) }
}

/**
 * A session from the reply to HGETALL.
 *
 * @returns `undefined` if it is of another format
 */
export function readRecord(flat: readonly string[]): SessionRecord | undefined {
  const system: Record<string, string | undefined> = {}
  const data = new Map<string, StoredValue>()
  for (let i = 0; i < flat.length; i += 2) {
    const field = flat[i]!
    const value = flat[i + 1]!
    if (field.charCodeAt(0) === 46) data.set(keyOf(field), readValue(value) as StoredValue)
    else system[field] = value
  }
  if (system.v !== FORMAT) return undefined
  return {
    digest: system.h!,
    previous:
      system.p === undefined
        ? undefined
        : { digest: system.p, graceUntil: Number(system.g), nonce: system.n! },
    createdAt: Number(system.c),
    lastSeenAt: Number(system.s),
    issuedAt: Number(system.k),
    idleTimeoutMs: Number(system.i),
    expiresAt: Number(system.x),
    userId: system.u,
    authenticatedAt: system.a === undefined ? undefined : Number(system.a),
    client: system.m ?? '',
    revision: Number(system.r ?? 0),
    data,
  }
}
