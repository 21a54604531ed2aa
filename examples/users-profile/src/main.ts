import { type Prepared, type RunningCluster, runCluster } from '@scale/cluster'
import { createLogger, logChannels } from '@scale/logger'
import { dashboardHandler, metricsHandler, packageMetrics } from '@scale/metrics'
import { loadSettings } from './config.js'
import { type Infrastructure, infrastructure } from './infrastructure/infrastructure.js'
import { migrate } from './infrastructure/migrations.js'
import { madeSigningKey } from './infrastructure/signing-key.js'
import { startService } from './service.js'

// The file runs in the primary and again in each worker. What happens once is in `prepare`.

const settings = loadSettings(process.env, 'exit')
const config = settings.values
if (process.argv.includes('--config')) {
  process.stdout.write(settings.table())
  process.exit()
}
let found: Infrastructure | undefined
// Until the first line is out, only what goes wrong is told.
const logger = createLogger({ service: 'users-profile', level: 'warn' })
logChannels(logger)
packageMetrics()

const running = await runCluster({
  admin: {
    port: config.ADMIN_PORT,
    host: config.ADMIN_HOST,
    routes: { '/metrics': metricsHandler(), '/dashboard/*': dashboardHandler({ title: 'users/profile' }) },
  },
  prepare: async ({ lifecycle }): Promise<Prepared> => {
    found = await infrastructure(config)
    await lifecycle.add('infrastructure', { phase: 'data', stop: found.stop })
    await migrate(found.databaseUrl)
    const made: Partial<typeof config> = {
      REDIS_URL: found.redisUrl ?? 'none',
      DATABASE_URL: found.databaseUrl,
      JWT_PRIVATE_KEY: config.JWT_PRIVATE_KEY ?? madeSigningKey(config),
    }
    return {
      // What the variables name, a worker reads as the primary did.
      env: Object.fromEntries(
        Object.entries(made).filter(([name]) => config[name as keyof typeof config] === undefined),
      ) as Record<string, string>,
      ...(found.redisUrl === undefined
        ? { workers: { count: 1, reason: 'there is no Redis to share state in' } }
        : {}),
    }
  },
  // Read again: in the only process there is, `prepare` has completed the environment by now.
  start: ({ lifecycle }) => startService(loadSettings(process.env).values, { lifecycle, logger }),
  // `logChannels` has them.
  log: () => {},
})
if (running.role !== 'worker') process.stdout.write(`${firstLine(running, found!)}\n`)
logger.level = config.LOG_LEVEL

function firstLine(
  { decision }: RunningCluster,
  { redisSource, databaseSource, redisUrl }: Infrastructure,
): string {
  const host = config.HOST === '0.0.0.0' ? '127.0.0.1' : config.HOST
  const workers = `${decision!.workers} ${decision!.workers === 1 ? 'worker' : 'workers'} (${decision!.reason})`
  const warning =
    redisUrl === undefined
      ? 'WARNING: without Redis, sessions, quotas and cache live in this one process. '
      : ''
  return (
    `${warning}http://${host}:${config.PORT} · ${workers} · Redis: ${redisSource} · PostgreSQL: ${databaseSource} · ` +
    'choose others with PORT, WEB_CONCURRENCY, REDIS_URL, DATABASE_URL'
  )
}
