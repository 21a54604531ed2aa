import { randomUUID } from 'node:crypto'
import type { Query } from '../infrastructure/database.js'
import { accountKey } from '../services/account-key.js'

/** A user as the database holds it. */
export interface UserRow {
  id: string
  name: string
  email: string
  role: 'user' | 'admin'
  /** `null`: signs in through a provider only. */
  passwordHash: string | null
  createdAt: Date
  lastSeenAt: Date | null
}

/** Who somebody is at a provider: only both together name one person. */
export interface Identity {
  issuer: string
  subject: string
}

/** Users in PostgreSQL. An e-mail address is one user's, in whichever capitals. */
export interface UsersRepository {
  /** @returns `undefined` if the address is taken */
  insert(user: { name: string; email: string; passwordHash: string }): Promise<UserRow | undefined>
  /** @returns `undefined` if the address is taken, or the identity */
  insertWithIdentity(user: { name: string; email: string }, identity: Identity): Promise<UserRow | undefined>
  findByEmail(email: string): Promise<UserRow | undefined>
  findByIdentity(identity: Identity): Promise<UserRow | undefined>
  /** The user with everything a profile shows. Slow on purpose: it stands for a join over many tables. */
  findProfile(id: string): Promise<UserRow | undefined>
  rename(id: string, name: string): Promise<UserRow | undefined>
  markSeen(id: string): Promise<void>
  /** Also of an unchanged password, when its hash was made with other parameters. */
  setPasswordHash(id: string, passwordHash: string): Promise<void>
  find(id: string): Promise<UserRow | undefined>
  markVerified(id: string): Promise<void>
}

const COLUMNS = `id, name, email, role, password_hash AS "passwordHash", created_at AS "createdAt", last_seen_at AS "lastSeenAt"`
const UNIQUE_VIOLATION = '23505'

/**
 * @param options.profileLookupMs  how long the join behind a profile takes, in ms
 */
export function usersRepository(query: Query, options: { profileLookupMs: number }): UsersRepository {
  const one = async (text: string, values: unknown[]): Promise<UserRow | undefined> =>
    (await query<UserRow>(text, values))[0]
  const oneUnlessTaken: typeof one = async (text, values) => {
    try {
      return await one(text, values)
    } catch (error) {
      if ((error as { code?: string }).code === UNIQUE_VIOLATION) return undefined
      throw error
    }
  }

  return {
    insert: ({ name, email, passwordHash }) =>
      // No error if it is taken: that would end the transaction that this may be in.
      one(
        `INSERT INTO users (id, name, email, password_hash) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`,
        [randomUUID(), name, email, passwordHash],
      ),
    // One statement: there is never a user without the identity, nor two users of one.
    insertWithIdentity: ({ name, email }, { issuer, subject }) =>
      oneUnlessTaken(
        `WITH joined AS (INSERT INTO users (id, name, email) VALUES ($1, $2, $3)
              ON CONFLICT DO NOTHING RETURNING *),
              identity AS (INSERT INTO identities (issuer, subject, user_id) SELECT $4, $5, id FROM joined)
         SELECT ${COLUMNS} FROM joined`,
        [randomUUID(), name, email, issuer, subject],
      ),
    findByIdentity: ({ issuer, subject }) =>
      one(`SELECT ${COLUMNS} FROM users JOIN identities ON user_id = id WHERE issuer = $1 AND subject = $2`, [
        issuer,
        subject,
      ]),
    findByEmail: (email) =>
      one(`SELECT ${COLUMNS} FROM users WHERE lower(email COLLATE "C") = $1`, [accountKey(email)]),
    async findProfile(id) {
      await new Promise((resolve) => setTimeout(resolve, options.profileLookupMs))
      return one(`SELECT ${COLUMNS} FROM users WHERE id = $1`, [id])
    },
    rename: (id, name) => one(`UPDATE users SET name = $2 WHERE id = $1 RETURNING ${COLUMNS}`, [id, name]),
    async setPasswordHash(id, passwordHash) {
      await query('UPDATE users SET password_hash = $2 WHERE id = $1', [id, passwordHash])
    },
    find: (id) => one(`SELECT ${COLUMNS} FROM users WHERE id = $1`, [id]),
    async markVerified(id) {
      await query('UPDATE users SET email_verified_at = coalesce(email_verified_at, now()) WHERE id = $1', [
        id,
      ])
    },
    async markSeen(id) {
      await query('UPDATE users SET last_seen_at = now() WHERE id = $1', [id])
    },
  }
}
