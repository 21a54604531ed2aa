import { ServiceUnavailable } from '@scale/errors'
import pg from 'pg'

/** @throws {ServiceUnavailable} the database is away, read only, full or too slow */
export type Query = <Row extends object = never>(text: string, values?: unknown[]) => Promise<Row[]>

/** PostgreSQL, for the repositories. Every failure that is the server's, and not the question's, is a 503. */
export interface Database {
  query: Query
  /** What `work` asks is done together, or not at all if it throws. */
  transaction<Result>(work: (query: Query) => Promise<Result>): Promise<Result>
  /** Whether it takes writes; for the probe. */
  check(): Promise<void>
  pool: pg.Pool
}

/** How long a client is asked to wait, in ms: a server that fails over or restarts takes some seconds. */
const RETRY_AFTER_MS = 2_000

/** A pool of connections to PostgreSQL, for one process. */
export function connectDatabase(url: string): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 2_000,
    query_timeout: 10_000,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    keepAlive: true,
  })
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined)

  const queryOf =
    (client: pg.Pool | pg.PoolClient): Query =>
    async <Row extends object>(text: string, values?: unknown[]) =>
      (await client.query<Row>(text, values).catch(tell)).rows
  const query = queryOf(pool)

  return {
    query,
    async transaction(work) {
      const client = await pool.connect().catch(tell)
      const ask = queryOf(client)
      try {
        await ask('BEGIN')
        const result = await work(ask)
        await ask('COMMIT')
        client.release()
        return result
      } catch (error) {
        await ask('ROLLBACK').then(
          () => client.release(),
          // Closed, and not reused: the server rolls back what it may have begun.
          () => client.release(true),
        )
        throw error
      }
    },
    pool,
    async check() {
      // A standby answers, too, and nobody can register there.
      const [row] = await query<{ isReadOnly: boolean }>('SELECT pg_is_in_recovery() AS "isReadOnly"')
      if (row!.isReadOnly) throw new Error('the database is read only')
    },
  }
}

function tell(cause: unknown): never {
  if (!isAway(cause)) throw cause
  const options = { code: 'DATABASE_UNAVAILABLE', retryAfterMs: RETRY_AFTER_MS, cause }
  throw new ServiceUnavailable(undefined, options)
}

/**
 * SQLSTATE of a server that cannot do what was asked, whatever was asked: connection exceptions (08), insufficient resources
 * (53), shutdown and start (57P), a statement that took too long (57014), a standby that takes no writes (25006).
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const AWAY = /^(?:08...|53...|57P..|57014|25006)$/
/** Of the client: no code, and these words. */
const AWAY_MESSAGES =
  /timeout exceeded when trying to connect|Connection terminated|connection error|Query read timeout|Cannot use a pool/i

/** Whether a failure of `pg` says that the server cannot be used, and not that the question was wrong. */
export function isAway(error: unknown): boolean {
  const { code, syscall, message } = error as { code?: unknown; syscall?: unknown; message?: unknown }
  if (syscall !== undefined) return true
  if (typeof code === 'string') return AWAY.test(code) || /^E[A-Z]+$/.test(code)
  return AWAY_MESSAGES.test(String(message))
}
