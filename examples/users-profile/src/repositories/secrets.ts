import { createHash, randomBytes } from 'node:crypto'
import type { Query } from '../infrastructure/database.js'

/** What a secret opens, once. */
export type Purpose = 'verify-email' | 'reset-password'

/** Secrets that are sent by mail. */
export interface SecretsRepository {
  /** @returns the secret: 43 characters of base64url */
  create(purpose: Purpose, userId: string, lifetimeMs: number): Promise<string>
  /** @returns the user's id, and to the first who asks alone; `undefined` if there is no such secret, or it is too old */
  redeem(purpose: Purpose, secret: string): Promise<string | undefined>
  /** Ends all of one kind that a user has. */
  forget(purpose: Purpose, userId: string): Promise<void>
}

export function secretsRepository(query: Query): SecretsRepository {
  return {
    async create(purpose, userId, lifetimeMs) {
      const secret = randomBytes(32).toString('base64url')
      await query(
        `INSERT INTO secrets (hash, purpose, user_id, expires_at) VALUES ($1, $2, $3, now() + $4 * interval '1 ms')`,
        [hashOf(secret), purpose, userId, lifetimeMs],
      )
      return secret
    },
    async redeem(purpose, secret) {
      const [row] = await query<{ userId: string; isGood: boolean }>(
        `DELETE FROM secrets WHERE hash = $1 AND purpose = $2 RETURNING user_id AS "userId", expires_at > now() AS "isGood"`,
        [hashOf(secret), purpose],
      )
      return row?.isGood ? row.userId : undefined
    },
    async forget(purpose, userId) {
      await query('DELETE FROM secrets WHERE purpose = $1 AND user_id = $2', [purpose, userId])
    },
  }
}

const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest()
