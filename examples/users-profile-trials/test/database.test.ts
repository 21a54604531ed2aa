import { readdirSync, readFileSync } from 'node:fs'
import { type PostgresServer, testPostgres } from '@scale/devkit/postgres'
import { outbox, outboxTable, queue, type SqlQuery } from '@scale/jobs'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { isAway } from '../../users-profile/src/infrastructure/database.js'
import { MigrationFailed, migrate } from '../../users-profile/src/infrastructure/migrations.js'
import {
  type Answer,
  call,
  newcomer,
  runToEnd,
  type Service,
  startService,
} from '../../users-profile/test/service.js'

let postgres: PostgresServer
let client: pg.Client
beforeAll(async () => {
  postgres = await testPostgres()
  client = new pg.Client(postgres.url)
  client.on('error', () => undefined)
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await postgres.stop()
})

async function database(name: string): Promise<{ url: string; query(sql: string): Promise<object[]> }> {
  await client.query(`CREATE DATABASE ${name}`)
  const url = Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href
  const query = async (sql: string): Promise<object[]> => {
    const one = new pg.Client(url)
    await one.connect()
    try {
      const result: unknown = await one.query(sql)
      // Of several statements, the last one's.
      return ([result].flat().at(-1) as pg.QueryResult<object>).rows
    } finally {
      await one.end()
    }
  }
  return { url, query }
}

describe('migrations', () => {
  it('run once each, however many copies start at the same time', async () => {
    const { url, query } = await database('several')
    const ran = await Promise.all(Array.from({ length: 8 }, () => migrate(url)))
    expect(ran.filter((files) => files.length > 0)).toHaveLength(1)
    const files = await query('SELECT file FROM migrations ORDER BY file')
    expect(files.map((row) => (row as { file: string }).file)).toEqual(ran.flat())
    expect(await migrate(url)).toEqual([])
  })

  it('leave a database as it was if one of them fails', async () => {
    const { url, query } = await database('broken')
    // In the way of the last one.
    await query('CREATE TABLE catalogue_items (other text)')
    await expect(migrate(url)).rejects.toThrow(MigrationFailed)
    expect(await query(`SELECT 1 FROM pg_tables WHERE tablename IN ('users', 'migrations')`)).toEqual([])
    await query('DROP TABLE catalogue_items')
    expect(await migrate(url)).toContain('004-catalogue.sql')
  })

  it('take letters along that wait, and those that copies of before them go on to write', async () => {
    const { url, query } = await database('letters')
    const folder = new URL('../../users-profile/migrations/', import.meta.url)
    const before = readdirSync(folder)
      .filter((file) => file < '006')
      .sort()
    await query('CREATE TABLE migrations (file text PRIMARY KEY, ran_at timestamptz NOT NULL DEFAULT now())')
    for (const file of before) {
      await query(readFileSync(new URL(file, folder), 'utf8'))
      await query(`INSERT INTO migrations (file) VALUES ('${file}')`)
    }
    const put = (recipient: string, sent = 'NULL') =>
      query(`INSERT INTO mails (id, recipient, subject, body, sent_at)
             VALUES (gen_random_uuid(), '${recipient}', 'Welcome', 'It is "ready"', ${sent})`)
    await put('waiting')
    await put('sent', 'now()')
    expect(await migrate(url)).toContain('006-outbox.sql')
    await put('later')
    const pool = new pg.Pool({ connectionString: url })
    const ask: SqlQuery = (text, values) => pool.query(text, values)
    const letters = queue('letters', {
      schema: z.object({ recipient: z.string(), subject: z.string(), body: z.string() }),
    })
    const received: string[] = []
    letters.work(({ recipient, body }) => received.push(`${recipient}: ${body}`))
    const relay = outbox([letters]).relay(ask)
    await expect
      .poll(() => received.sort(), { timeout: 20_000 })
      .toEqual(['later: It is "ready"', 'waiting: It is "ready"'])
    await relay.close()
    await letters.close()
    await pool.end()
    expect(readFileSync(new URL('006-outbox.sql', folder), 'utf8')).toContain(outboxTable())
    expect(await query('SELECT recipient FROM mails')).toEqual([{ recipient: 'sent' }])
  })

  it('take over the tables of before there were versions, with what is in them', async () => {
    const { url, query } = await database('older')
    await query(`CREATE TABLE users (id uuid PRIMARY KEY, name text NOT NULL, email text NOT NULL, role text NOT NULL DEFAULT 'user',
      password_hash text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), last_seen_at timestamptz);
      CREATE UNIQUE INDEX users_email ON users (lower(email));
      INSERT INTO users (id, name, email, password_hash) VALUES (gen_random_uuid(), 'Ada', 'Ada@example.org', 'x')`)
    await migrate(url)
    expect(await query('SELECT name, email FROM users')).toEqual([{ name: 'Ada', email: 'Ada@example.org' }])
    const insert = `INSERT INTO users (id, name, email) VALUES (gen_random_uuid(), 'Eve', 'aDA@EXAMPLE.org')`
    await expect(query(insert)).rejects.toThrow(/users_(?:account|email)/)
  })

  it('know nothing of a later version, and leave it be', async () => {
    const { url, query } = await database('newer')
    await migrate(url)
    await query(`INSERT INTO migrations (file) VALUES ('999-of-the-next-release.sql')`)
    expect(await migrate(url)).toEqual([])
  })

  it('wait for a database that is starting, and then say what the matter is, without the URL', async () => {
    const nobody = 'postgres://root:hunter2@127.0.0.1:1/users'
    await expect(migrate(nobody, 300)).rejects.toThrow(/DATABASE_URL cannot be used: ECONNREFUSED/)
    await expect(migrate(nobody, 300)).rejects.not.toThrow(/hunter2/)
    // Waiting would not help.
    const none = Object.assign(new URL(postgres.url), { pathname: '/missing' }).href
    await expect(migrate(none)).rejects.toThrow(/cannot be used: 3D000/)
  })

  it('end a start that has no database with exit code 69 and one sentence', async () => {
    const url = Object.assign(new URL(postgres.url), { pathname: '/missing' }).href
    const { code, output } = await runToEnd({ DATABASE_URL: url, REDIS_URL: 'none', WEB_CONCURRENCY: '1' })
    expect(code).toBe(69)
    expect(output).toContain('The database of DATABASE_URL cannot be used: 3D000')
  })
})

it('reads accounts, sessions of providers and the catalogue by their indexes', async () => {
  const { url, query } = await database('plans')
  await migrate(url)
  await query(`INSERT INTO users (id, name, email) SELECT gen_random_uuid(), 'Ada', 'ada' || n || '@example.org' FROM generate_series(1, 5000) AS n;
    INSERT INTO catalogue_items SELECT 'more-' || n, 'More', n FROM generate_series(1, 5000) AS n;
    ANALYZE`)
  const plan = async (sql: string): Promise<string> =>
    (await query(`EXPLAIN ${sql}`)).map((row) => Object.values(row)[0]).join('\n')
  expect(await plan(`SELECT * FROM users WHERE lower(email COLLATE "C") = 'ada7@example.org'`)).toMatch(
    /Index Scan using users_account/,
  )
  expect(await plan(`SELECT * FROM users WHERE id = gen_random_uuid()`)).not.toMatch(/Nested/)
  expect(
    await plan(`SELECT * FROM catalogue_items WHERE sku > 'cards-0500' ORDER BY sku LIMIT 21`),
  ).not.toMatch(/Sort/)
})

describe('while the database is away', () => {
  let service: Service
  const me = newcomer()
  let token: string
  const register = (): Promise<Answer> => call(service.url, 'POST', '/v1/users', { body: newcomer() })

  beforeAll(async () => {
    const { url } = await database('outage')
    service = await startService({ DATABASE_URL: url, WEB_CONCURRENCY: '2', PROFILE_LOOKUP_MS: '0' })
    await call(service.url, 'POST', '/v1/users', { body: me })
    token = String((await call(service.url, 'POST', '/v1/login', { body: me })).body.token)
    expect((await call(service.url, 'GET', '/v1/profile', { token })).status).toBe(200)
  })
  afterAll(async () => {
    expect(await service.stop()).toBe(0)
  })

  it('what needs it is a 503 that says when to come back, the rest goes on, and the copy stays in', async () => {
    await postgres.kill()
    const refused = await register()
    expect([refused.status, refused.body.code]).toEqual([503, 'DATABASE_UNAVAILABLE'])
    expect(refused.headers.get('retry-after')).toBe('2')
    const login = await call(service.url, 'POST', '/v1/login', { body: me })
    expect(login.status).toBe(503)
    expect((await call(service.url, 'GET', '/v1/profile', { token })).headers.get('cache-status')).toMatch(
      /; hit/,
    )
    await expect
      .poll(async () => (await fetch(`${service.adminUrl}/readyz`)).text(), { timeout: 30_000 })
      .toMatch(/degraded/)
    expect((await fetch(`${service.adminUrl}/readyz`)).status).toBe(200)
  })

  it('and heals by itself', async () => {
    await postgres.restart()
    await expect.poll(async () => (await register()).status, { timeout: 30_000 }).toBe(201)
    expect((await call(service.url, 'POST', '/v1/login', { body: me })).status).toBe(200)
  })

  it('a server that takes no writes any more is one that is away', async () => {
    const admin = new pg.Client(postgres.url)
    await admin.connect()
    await admin.query('ALTER DATABASE outage SET default_transaction_read_only = on')
    await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'outage'`)
    const statuses = new Set<number>()
    await expect
      .poll(
        async () => {
          const { status, body } = await register()
          statuses.add(status)
          return body.code
        },
        { timeout: 10_000 },
      )
      .toBe('DATABASE_UNAVAILABLE')
    await admin.query('ALTER DATABASE outage SET default_transaction_read_only = off')
    await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'outage'`)
    await admin.end()
    await expect.poll(async () => (await register()).status, { timeout: 30_000 }).toBe(201)
    expect([...statuses].every((status) => status === 201 || status === 503)).toBe(true)
  })
})

it.each([
  [{ code: 'ECONNREFUSED', syscall: 'connect' }, true],
  [{ code: '57P01', message: 'terminating connection due to administrator command' }, true],
  [{ code: '53300', message: 'sorry, too many clients already' }, true],
  [{ code: '25006', message: 'cannot execute INSERT in a read-only transaction' }, true],
  [new Error('Connection terminated unexpectedly'), true],
  [new Error('timeout exceeded when trying to connect'), true],
  [{ code: '23505', message: 'duplicate key value' }, false],
  [{ code: '42P01', message: 'relation does not exist' }, false],
  [new TypeError('x is not a function'), false],
])('knows a server that is away from a question that is wrong: %o', (error, expected) => {
  expect(isAway(error)).toBe(expected)
})
