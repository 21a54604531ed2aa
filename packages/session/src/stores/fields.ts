import type { LoadedSession, SessionRecord, StoredValue } from './record.js'

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
 * A session as the scripts pack it: see `PACK` in lua/prelude.lua.ts.
 *
 * @returns `undefined` if it is of another format
 */
export function readPacked(packed: readonly string[]): LoadedSession | undefined {
  const [head = '', userId] = packed
  const [v, now, listed, digest, ...rest] = head.split(' ')
  if (v !== FORMAT) return undefined
  const [c, s, k, i, x, r, a, p, g, n, q, w] = rest
  const previous =
    p === ABSENT ? undefined : { digest: p!, endsAt: Number(g), nonce: n!, isConfirmed: q === '1' }
  const record: SessionRecord = {
    digest: digest!,
    previous,
    createdAt: Number(c),
    lastSeenAt: Number(s),
    issuedAt: Number(k),
    idleTimeoutMs: Number(i),
    expiresAt: Number(x),
    revision: Number(r),
    authenticatedAt: a === ABSENT ? undefined : Number(a),
    persistent: w === ABSENT ? undefined : w === '1',
    userId: userId === '' ? undefined : userId,
    data: packed.length === 2 ? NO_DATA : readData(packed),
  }
  return { record, nowMs: Number(now), listed: listed === '1' }
}

const ABSENT = '-'
const NO_DATA: ReadonlyMap<string, StoredValue> = new Map()

function readData(packed: readonly string[]): ReadonlyMap<string, StoredValue> {
  const data = new Map<string, StoredValue>()
  for (let at = 2; at < packed.length; at += 2) {
    data.set(packed[at]!, readValue(packed[at + 1]!) as StoredValue)
  }
  return data
}
