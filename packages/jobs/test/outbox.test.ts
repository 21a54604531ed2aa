import { PGlite } from '@electric-sql/pglite'
import { type PostgresServer, testPostgres } from '@scale/devkit/postgres'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis } from '@scale/redis'
import type { RedisServer } from '@scale/redis/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { z } from 'zod'
import { queue } from '../src/index.js'
import { outboxContract } from '../src/testing/index.js'

const Numbered = z.object({ n: z.number() })
let count = 0
const newName = (): string => `outbox-${process.pid}-${count++}`

let redisServer: RedisServer
let redis: ReturnType<typeof createRedis>
let postgres: PostgresServer
let pool: pg.Pool
let lite: PGlite
beforeAll(async () => {
  ;[redisServer, postgres] = await Promise.all([testRedis(), testPostgres()])
  redis = createRedis(redisServer.url)
  pool = new pg.Pool({ connectionString: postgres.url, max: 20 })
  // A server that stops takes leave of connections that are being closed.
  pool.on('error', () => {})
  lite = await PGlite.create()
})
afterAll(async () => {
  redis.disconnect()
  await Promise.all([pool.end(), lite.close()])
  await Promise.all([postgres.stop(), redisServer.stop()])
})

outboxContract({ describe, it }, 'PostgreSQL and BullMQ', async () => ({
  query: (text, values) => pool.query(text, values),
  async transaction(work) {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      await work((text, values) => client.query(text, values))
      await client.query('COMMIT')
    } catch (error) {
      await client.query('ROLLBACK')
      throw error
    } finally {
      client.release()
    }
  },
  queue: queue(newName(), { redis, schema: Numbered }),
}))

outboxContract({ describe, it }, 'PGlite and the jobs of one process', async () => ({
  query: (text, values) => lite.query(text, values),
  transaction: (work) => lite.transaction((inside) => work((text, values) => inside.query(text, values))),
  queue: queue(newName(), { schema: Numbered }),
}))
