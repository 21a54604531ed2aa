import { randomFillSync } from 'node:crypto'

const POOL_BYTES = 6_144
const pool = Buffer.allocUnsafe(POOL_BYTES)
let used = POOL_BYTES

/**
 * Random bytes as text, from a pool that is filled by one call to the system for many texts. For names that must never
 * meet by chance: of leases, entries, spans. A secret is better made by `crypto.randomBytes`, which keeps nothing of it.
 *
 * @param bytes  1–256
 */
export function randomText(bytes: number, encoding: 'base64url' | 'hex' | 'latin1'): string {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return pool.toString(encoding, used - bytes, used)
}
