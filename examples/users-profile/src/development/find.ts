import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config.js'
import type { Infrastructure } from '../infrastructure/infrastructure.js'
import { embeddedDatabase } from './embedded-database.js'
import { findRedis } from './redis.js'

const exampleFolder = fileURLToPath(new URL('../..', import.meta.url))

/** Finds or starts Redis and PostgreSQL on a machine where somebody develops. Called once, before there are workers. */
export async function findInfrastructure(config: Config): Promise<Infrastructure> {
  const [redis, database] = await Promise.all([findRedis(config.REDIS_URL), findDatabase(config)])
  return {
    redisUrl: redis.url,
    redisSource: redis.source,
    databaseUrl: database.url,
    databaseSource: database.source,
    async stop() {
      database.release()
      await redis.stop()
    },
  }
}

async function findDatabase(config: Config): Promise<{ url: string; source: string; release(): void }> {
  if (config.DATABASE_URL !== undefined) {
    return { url: config.DATABASE_URL, source: 'DATABASE_URL', release: () => undefined }
  }
  const folder = join(config.DATA_DIR ?? join(exampleFolder, '.data'), 'postgres')
  const { url, release } = await embeddedDatabase(folder)
  return { url, source: `embedded, in ${relative(process.cwd(), folder)}`, release }
}
