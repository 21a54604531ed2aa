import pg from 'pg'

/** The tables, made where they are missing. Several processes may run this at once. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS users (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    role text NOT NULL DEFAULT 'user',
    password_hash text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz
  );
  CREATE UNIQUE INDEX IF NOT EXISTS users_email ON users (lower(email));
  CREATE TABLE IF NOT EXISTS identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject)
  );
  CREATE INDEX IF NOT EXISTS identities_user ON identities (user_id);
  -- Asked first: the change locks the table, and is needed once.
  DO $$ BEGIN
    IF (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'password_hash') THEN
      ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;
    END IF;
  END $$;`

/** Serialises the migration of several copies that start at once; any fixed number does. */
const MIGRATION_LOCK = 7_203_514

/** A pool of connections to PostgreSQL, for one process. */
export function connectDatabase(url: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 10_000,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
  })
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined)
  return pool
}

/** Makes the tables. Called once, by the primary, before there are workers. */
export async function migrate(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    await client.query('BEGIN')
    await client.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`)
    await client.query(SCHEMA)
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}
