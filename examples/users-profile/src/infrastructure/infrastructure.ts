import type { Config } from '../config.js'

/** What the service works with, and where that was found. */
export interface Infrastructure {
  /** `undefined`: state stays in one process. */
  redisUrl: string | undefined
  redisSource: string
  databaseUrl: string
  databaseSource: string
  /** Stops what was started for this copy alone. */
  stop(): Promise<void>
}

/** What the variables name. In development what they do not name is found, or started. */
export async function infrastructure(config: Config): Promise<Infrastructure> {
  const { NODE_ENV, REDIS_URL, DATABASE_URL } = config
  if (NODE_ENV !== 'production') {
    // Only here: what it needs is not installed in production.
    const { findInfrastructure } = await import('../development/find.js')
    return findInfrastructure(config)
  }
  return {
    redisUrl: REDIS_URL,
    redisSource: 'REDIS_URL',
    databaseUrl: DATABASE_URL!,
    databaseSource: 'DATABASE_URL',
    stop: async () => undefined,
  }
}
