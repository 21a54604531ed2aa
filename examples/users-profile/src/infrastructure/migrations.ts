import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { isAway } from './database.js'

const folder = new URL('../../migrations/', import.meta.url)
/** Serialises several copies that start at once; any fixed number does. */
const LOCK = 7_203_514
/** How long a start waits for a database that is starting, too, in ms. */
const PATIENCE_MS = 30_000

/** The database could not be reached, or a migration failed. */
export class MigrationFailed extends Error {
  /** `EX_UNAVAILABLE` of sysexits.h: a supervisor may try again. */
  readonly exitCode: number = 69
}

/**
 * Brings the tables to the newest version. Any number of processes may run this at once.
 *
 * During a deploy copies of before and after it use one database: a migration adds what the new ones need and takes away
 * nothing that the old ones use; what is left over goes with a later one. A version that is not known here is another copy's.
 *
 * @returns  the files that were run
 * @throws {MigrationFailed}
 */
export async function migrate(url: string, patienceMs: number = PATIENCE_MS): Promise<string[]> {
  const client = await connect(url, performance.now() + patienceMs)
  try {
    return await runMissing(client)
  } catch (cause) {
    throw new MigrationFailed(`The database could not be migrated: ${(cause as Error).message}`, { cause })
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function connect(url: string, endsAt: number): Promise<pg.Client> {
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
    // A connection that breaks later is told by the query.
    client.on('error', () => undefined)
    try {
      await client.connect()
      return client
    } catch (cause) {
      if (!isAway(cause) || performance.now() + pauseMs > endsAt) {
        const { code, message } = cause as { code?: string; message: string }
        // The code, where there is one: a message may repeat parts of the URL.
        throw new MigrationFailed(`The database of DATABASE_URL cannot be used: ${code ?? message}`, {
          cause,
        })
      }
      await pause(pauseMs)
    }
  }
}

async function runMissing(client: pg.Client): Promise<string[]> {
  await client.query('BEGIN')
  await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK])
  await client.query(
    'CREATE TABLE IF NOT EXISTS migrations (file text PRIMARY KEY, ran_at timestamptz NOT NULL DEFAULT now())',
  )
  const { rows } = await client.query<{ file: string }>('SELECT file FROM migrations')
  const ran = new Set(rows.map(({ file }) => file))
  const missing = readdirSync(folder)
    .filter((file) => file.endsWith('.sql') && !ran.has(file))
    .sort()
  for (const file of missing) {
    await client.query(readFileSync(new URL(file, folder), 'utf8'))
    await client.query('INSERT INTO migrations (file) VALUES ($1)', [file])
  }
  await client.query('COMMIT')
  return missing
}
