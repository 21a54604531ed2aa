import type { Server } from 'node:http'
import { passwords } from '@scale/auth'
import { createCache } from '@scale/cache'
import type { Lifecycle } from '@scale/cluster'
import type { AppLogger } from '@scale/logger'
import { fleet, poolMetrics } from '@scale/metrics'
import { createRedis, storeGuard, whenReady } from '@scale/redis'
import { pool } from '@scale/workers'
import { createApp } from './app.js'
import type { Config } from './config.js'
import { guards } from './guards.js'
import { connectDatabase } from './infrastructure/database.js'
import { mail, sendMail } from './infrastructure/mail.js'
import { oidcProvider } from './infrastructure/oidc.js'
import { catalogueRepository } from './repositories/catalogue.js'
import { repositories } from './repositories/repositories.js'
import { accounts } from './services/accounts.js'
import { letters } from './services/letters.js'
import { oidcLogin } from './services/oidc-login.js'
import { profiles } from './services/profiles.js'
import { tokens } from './services/tokens.js'

/** How long a start waits for Redis, in ms. After that it starts all the same, and heals when Redis comes. */
const REDIS_WAIT_MS = 2_000

/** Puts the parts of one process together and listens. */
export async function startService(
  config: Config,
  { lifecycle, logger }: { lifecycle: Lifecycle; logger: AppLogger },
): Promise<Server> {
  await lifecycle.add('logs', { phase: 'logs', stop: () => logger.flush() })
  const redis = await openRedis(config, lifecycle)
  const database = connectDatabase(config.DATABASE_URL!)
  const cache = createCache({
    ...(redis === undefined ? { allowMemoryStore: true } : { redis }),
    name: 'profiles',
  })
  await lifecycle.add('database', {
    phase: 'data',
    // Without it sessions, cached profiles and access tokens still answer: reported, not fatal, or all copies would leave at once.
    required: false,
    check: database.check,
    stop: () => database.pool.end(),
  })
  poolMetrics('postgres', () => {
    const { totalCount, idleCount, waitingCount, options } = database.pool
    return { size: totalCount, idle: idleCount, waiting: waitingCount, max: options.max }
  })
  await lifecycle.add('metrics', { phase: 'telemetry', stop: () => fleet().push() })
  await lifecycle.add('cache', { phase: 'work', stop: () => cache.close() })

  const file = new URL('./threads/document.js', import.meta.url)
  const documents = pool<typeof import('./threads/document.js')>(file, { name: 'documents', threads: 1 })
  await lifecycle.add('documents', { phase: 'work', stop: (options) => documents.close(options) })
  const letterBox = mail(redis)
  const kept = repositories(database, letterBox, { profileLookupMs: config.PROFILE_LOOKUP_MS })
  const { SMTP_URL: smtpUrl, MAIL_SENDER: sender } = config
  if (smtpUrl !== undefined) {
    const { query } = database
    await lifecycle.add('mail', { phase: 'work', stop: sendMail(letterBox, { query, smtpUrl, sender }).stop })
  } else if (config.NODE_ENV === 'production') {
    logger.warn('SMTP_URL is not set: mail waits in the database')
  }
  const services = {
    accounts: accounts({
      repositories: kept,
      passwords: passwords(),
      letters: letters(config.PUBLIC_URL ?? `http://localhost:${config.PORT}`),
      cache,
    }),
    profiles: profiles(kept.users, cache),
    outbox: smtpUrl === undefined && config.NODE_ENV !== 'production' ? kept.mails : undefined,
    catalogue: catalogueRepository(database, { lookupMs: config.PROFILE_LOOKUP_MS }),
    cache,
    documents,
    tokens: tokens(config, redis),
    oidc: config.OIDC_ISSUER === undefined ? undefined : oidcLogin(oidcProvider(config)),
  }
  const server = createApp(config, services, guards(config, redis), logger).listen(config.PORT, config.HOST)
  // Longer than a load balancer keeps an idle connection, or it sends a request into a closed one.
  server.keepAliveTimeout = 65_000
  return server
}

async function openRedis(
  config: Config,
  lifecycle: Lifecycle,
): Promise<ReturnType<typeof createRedis> | undefined> {
  if (config.REDIS_URL === undefined || config.REDIS_URL === 'none') return undefined
  const redis = createRedis(config.REDIS_URL, {
    connectionName: 'users-profile',
    guard: { deadlineMs: config.REDIS_DEADLINE_MS },
  })
  await lifecycle.add('redis', {
    phase: 'data',
    // Without Redis the service still answers what needs none: reported, not fatal.
    required: false,
    check: () => storeGuard(redis).available(),
    stop: () => redis.disconnect(),
  })
  await whenReady(redis, REDIS_WAIT_MS)
  return redis
}
