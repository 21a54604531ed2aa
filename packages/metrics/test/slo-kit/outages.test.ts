import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { testRedis } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prometheusRules, toYaml } from '../../src/slo.js'
import { type Prometheus, unpackPrometheus } from '../support/prometheus.js'

// Five copies of one app, each with another Redis, before a real Prometheus with the rules that are shipped. Their minutes are
// seconds here, so that nobody has to wait for them; nothing else is changed.

interface Outage {
  readonly name: string
  /** Where the app of this outage looks for Redis. */
  readonly url: (port: number) => string
  readonly alerts: readonly string[]
  /** Of the log. */
  readonly lines: readonly string[]
  /** Of the process, each once. */
  readonly warnings: readonly RegExp[]
}

const denied = (user: string) => (port: number) => `redis://${user}:pw@127.0.0.1:${port}`

const outages: readonly Outage[] = [
  {
    name: 'refused',
    url: () => 'redis://127.0.0.1:1',
    alerts: ['ScaleQuotaNotShared', 'ScaleRedisBreakerOpen'],
    lines: ['Redis breaker changed', 'Redis connection failed: connect ECONNREFUSED 127.0.0.1:1'],
    warnings: [
      /SCALE_RATE_LIMIT_STORE.*ECONNREFUSED.*share of the quota.*docs\/troubleshooting\.md/,
      /SCALE_CACHE_STORE.*not connected.*loaded anew.*docs\/troubleshooting\.md/,
    ],
  },
  {
    name: 'password',
    url: (port) => `redis://:wrong@127.0.0.1:${port}`,
    alerts: ['ScaleQuotaNotShared', 'ScaleRedisBreakerOpen'],
    lines: [
      'Redis breaker changed',
      'Redis connection failed: WRONGPASS invalid username-password pair or user is disabled.',
    ],
    warnings: [/SCALE_RATE_LIMIT_STORE.*WRONGPASS/, /SCALE_CACHE_STORE/],
  },
  {
    name: 'quota',
    url: denied('quota'),
    alerts: ['ScaleQuotaNotShared', 'ScaleRedisRefusing'],
    lines: [
      expect.stringMatching(
        /^quota store failed: Redis is not available \(denied\): .*(?:NOPERM|permissions)/,
      ),
    ],
    warnings: [/SCALE_RATE_LIMIT_STORE.*denied.*share of the quota/],
  },
  {
    name: 'cache',
    url: denied('cache'),
    alerts: ['ScaleCacheOff', 'ScaleRedisRefusing'],
    lines: [expect.stringMatching(/^cache store failed: Redis is not available \(denied\)/)],
    warnings: [/SCALE_CACHE_STORE.*denied.*loaded anew/],
  },
]
const fine = { name: 'fine', url: denied('all') }

interface App {
  readonly child: ChildProcess
  readonly port: number
  out: string
  error: string
}

let redis: Awaited<ReturnType<typeof testRedis>>
let prometheus: Prometheus | undefined
let server: ChildProcess | undefined
let url: string
const apps = new Map<string, App>()

beforeAll(async () => {
  redis = await testRedis()
  const admin = createRedis(redis.url)
  await whenReady(admin, 10_000)
  const users = {
    all: ['~*'],
    quota: ['~scale:cache:*', '~scale:session:*'],
    cache: ['~scale:rate-limit:*', '~scale:session:*'],
  }
  for (const [user, keys] of Object.entries(users)) {
    await admin.call('acl', 'SETUSER', user, 'on', '>pw', '&*', '+@all', ...keys)
  }
  await admin.call('acl', 'SETUSER', 'default', 'on', 'resetpass', '>right')
  admin.disconnect()
  for (const { name, url } of [fine, ...outages]) apps.set(name, await start(url(redis.port)))

  prometheus = await unpackPrometheus()
  const rules = prometheusRules()
  const quick = JSON.stringify(rules).replaceAll('"for":"1m"', '"for":"2s"').replaceAll('[5m]', '[10s]')
  await writeFile(join(prometheus.folder, 'rules.yml'), toYaml(JSON.parse(quick)))
  const jobs = [...apps].map(
    ([name, { port }]) => `  - job_name: ${name}\n    static_configs: [{ targets: ['127.0.0.1:${port}'] }]\n`,
  )
  await writeFile(
    join(prometheus.folder, 'prometheus.yml'),
    `global: { scrape_interval: 1s, evaluation_interval: 1s }\nrule_files: [rules.yml]\nscrape_configs:\n${jobs.join('')}`,
  )
  const listen = `127.0.0.1:${await freePort()}`
  url = `http://${listen}`
  server = spawn(
    prometheus.program,
    ['--config.file=prometheus.yml', '--storage.tsdb.path=data', `--web.listen-address=${listen}`],
    { cwd: prometheus.folder, env: prometheus.env, stdio: 'ignore' },
  )
}, 300_000)

afterAll(async () => {
  for (const child of [server, ...[...apps.values()].map(({ child }) => child)]) {
    if (child?.kill('SIGKILL')) await once(child, 'exit')
  }
  await prometheus?.remove()
  await redis?.stop()
})

async function start(redisUrl: string): Promise<App> {
  const fixture = fileURLToPath(new URL('../fixtures/outage.ts', import.meta.url))
  const { NODE_ENV: _, ...env } = process.env
  const child = spawn(
    process.execPath,
    ['--conditions=@scale/source', '--import', import.meta.resolve('tsx'), fixture, redisUrl],
    { env, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const app: App = { child, port: 0, out: '', error: '' }
  child.stderr!.on('data', (chunk) => {
    app.error += chunk
  })
  return new Promise((resolve, reject) => {
    createInterface(child.stdout!).on('line', (line) => {
      app.out += `${line}\n`
      const port = /^\{"port":(\d+)\}$/.exec(line)?.[1]
      if (port !== undefined) resolve(Object.assign(app, { port: Number(port) }))
    })
    child.once('exit', () => reject(new Error(app.error)))
  })
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

/** The alerts that fire for an app. */
async function firing(job: string): Promise<string[]> {
  const response = await fetch(`${url}/api/v1/alerts`).catch(() => undefined)
  if (response?.ok !== true) return []
  const { data } = (await response.json()) as {
    data: { alerts: { state: string; labels: Record<string, string> }[] }
  }
  const own = data.alerts.filter(({ state, labels }) => state === 'firing' && labels.job === job)
  return [...new Set(own.map(({ labels }) => labels.alertname!))]
    .filter((name) => !name.startsWith('ScaleSlo'))
    .toSorted()
}

const PATIENCE = { timeout: 60_000, interval: 250 }

/** The different lines of a log, without what differs each time. */
function linesOf({ out }: App): string[] {
  const lines = out.trim().split('\n').slice(1)
  const told = lines.map((line) => {
    const { msg, err } = JSON.parse(line) as { msg: string; err?: { message: string } }
    return err === undefined ? msg : `${msg}: ${err.message}`
  })
  return [...new Set(told)]
}

describe.each(outages)('Redis $name', ({ name, alerts, lines, warnings }) => {
  it(`fires ${alerts.join(' and ')}, writes a line, and warns once`, async () => {
    await expect.poll(() => firing(name), PATIENCE).toEqual(alerts)
    const app = apps.get(name)!
    expect(linesOf(app)).toEqual(expect.arrayContaining([...lines]))
    const said = app.error.split('\n').filter((line) => line.includes('SCALE_'))
    expect(said).toHaveLength(warnings.length)
    for (const warning of warnings) expect(said).toContainEqual(expect.stringMatching(warning))
  }, 90_000)
})

it('an app whose Redis is well has no alert, no line and no warning', async () => {
  // Prometheus knows it: the others fire.
  await expect.poll(() => firing('refused'), PATIENCE).not.toEqual([])
  expect(await firing('fine')).toEqual([])
  const app = apps.get('fine')!
  expect(linesOf(app).filter((line) => line !== '')).toEqual([])
  expect(app.error).toBe('')
}, 90_000)
