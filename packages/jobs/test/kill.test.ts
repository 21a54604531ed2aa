import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { type PostgresServer, testPostgres } from '@scale/devkit/postgres'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import { outbox, outboxTable, queue } from '../src/index.js'

const QUEUE = 'orders'
const POINTS = [
  'before commit',
  'after commit',
  'before take',
  'after take',
  'before delete',
  'after delete',
  'in a run',
]
/** How many processes die; each at another of the points in turn. */
const KILLS = Number(process.env.JOBS_KILLS ?? 14)

let redisServer: RedisServer
let postgres: PostgresServer
let redis: ReturnType<typeof createRedis>
let pool: pg.Pool
beforeAll(async () => {
  ;[redisServer, postgres] = await Promise.all([testRedis(), testPostgres()])
  redis = createRedis(redisServer.url)
  pool = new pg.Pool({ connectionString: postgres.url })
  // A server that stops takes leave of connections that are being closed.
  pool.on('error', () => {})
  await pool.query(
    `CREATE TABLE orders (n text PRIMARY KEY); CREATE TABLE runs (job text NOT NULL, n text NOT NULL); ${outboxTable()}`,
  )
})
afterAll(async () => {
  await pool.end()
  redis.disconnect()
  await Promise.all([postgres.stop(), redisServer.stop()])
})

/** @returns where it has died */
async function life(crashAt: string, crashAfter: number): Promise<string> {
  const main = fileURLToPath(new URL('fixtures/service.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@scale/source', '--import', 'tsx', main], {
    env: {
      ...process.env,
      REDIS_URL: redisServer.url,
      DATABASE_URL: postgres.url,
      QUEUE,
      CRASH_AT: crashAt,
      CRASH_AFTER: String(crashAfter),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return (await text(child.stdout)).trim()
}

it(
  'a committed job is added once and run, a rolled back one never, wherever processes die',
  async () => {
    const kills = Array.from({ length: KILLS }, (_, index) => POINTS[index % POINTS.length]!)
    const left = [...kills]
    const died: string[] = []
    const lane = async (): Promise<void> => {
      for (let point = left.shift(); point !== undefined; point = left.shift()) {
        died.push(await life(point, Math.floor(Math.random() * 12)))
      }
    }
    await Promise.all([lane(), lane()])
    expect(died.sort()).toEqual(kills.map((point) => `died ${point}`).sort())

    // Those who come after them find what is left.
    const orders = queue(QUEUE, {
      redis,
      schema: z.object({ n: z.string() }),
      lockMs: 1_000,
      maxCrashes: 1_000,
    })
    const box = outbox([orders])
    const relay = box.relay((sql, values) => pool.query(sql, values), { pollMs: 20 })
    orders.work(async ({ n }, { id }) => pool.query('INSERT INTO runs (job, n) VALUES ($1, $2)', [id, n]), {
      concurrency: 8,
    })
    await expect
      .poll(
        async () => {
          const { waiting, delayed, running } = await orders.counts()
          return [
            (await box.waiting((sql, values) => pool.query(sql, values))).length,
            waiting,
            delayed,
            running,
          ]
        },
        { timeout: 60_000 },
      )
      .toEqual([0, 0, 0, 0])

    const column = async (sql: string): Promise<string[]> =>
      (await pool.query<{ value: string }>(sql)).rows.map(({ value }) => value)
    const committed = await column('SELECT n AS value FROM orders ORDER BY n')
    expect(committed.length).toBeGreaterThan(KILLS)
    expect(await column('SELECT DISTINCT n AS value FROM runs ORDER BY n')).toEqual(committed)
    // An order has one job, and the queue has added it once.
    expect(await column('SELECT n AS value FROM runs GROUP BY n HAVING count(DISTINCT job) > 1')).toEqual([])
    const events = await redis.xrange(`scale:jobs:1:{${QUEUE}}:${QUEUE}:events`, '-', '+')
    const of = (event: string): string[] =>
      events.flatMap(([, fields]) => {
        const all = Object.fromEntries(
          fields.flatMap((field, index) => (index % 2 === 0 ? [[field, fields[index + 1]]] : [])),
        )
        return all.event === event ? [String(all.jobId)] : []
      })
    expect(of('added').sort()).toEqual(await column('SELECT DISTINCT job AS value FROM runs ORDER BY job'))
    // Or nobody has died between the two stores, and the test has shown nothing.
    expect(of('duplicated').length).toBeGreaterThan(0)
    await relay.close()
    await orders.close()
  },
  120_000 + KILLS * 5_000,
)
