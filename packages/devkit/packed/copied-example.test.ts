import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RedisServer } from '../../redis/src/testing/index.js'
import { tarballOf } from '../src/packing.js'
import { type PostgresServer, testPostgres } from '../src/postgres.js'
import { testRedis } from '../src/redis-server.js'
import { run } from '../src/run.js'
import { publishedPackages, repositoryFiles, root } from '../src/workspace.js'

// A team copies the folder, and has nothing else of this repository: npm, a registry, its own Redis and PostgreSQL.

const EXAMPLE = 'examples/users-profile/'
let folder: string
let redis: RedisServer
let postgres: PostgresServer
const children: ChildProcess[] = []

beforeAll(async () => {
  ;[redis, postgres] = await Promise.all([testRedis(), testPostgres()])
  folder = mkdtempSync(join(tmpdir(), 'users-profile-'))
  for (const path of repositoryFiles().filter((path) => path.startsWith(EXAMPLE))) {
    cpSync(join(root, path), join(folder, path.slice(EXAMPLE.length)), { recursive: true })
  }
  useTarballs(join(folder, 'package.json'))
  await npm('install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--prefer-offline')
  await npm('run', 'build')
}, 300_000)
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all([redis?.stop(), postgres?.stop()])
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

/** In the place of what is in no registry before the first release; every other version is as it stands there. */
function useTarballs(path: string): void {
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as { dependencies: Record<string, string> }
  for (const project of publishedPackages()) {
    manifest.dependencies[project.manifest.name] = `file:${tarballOf(project)}`
  }
  writeFileSync(path, JSON.stringify(manifest))
}

const { PATH, HOME } = process.env
async function npm(...args: string[]): Promise<string> {
  const { code, output } = await run('npm', args, { cwd: folder })
  if (code !== 0) throw new Error(`npm ${args.join(' ')} ended with ${code}:\n${output}`)
  return output
}

const production = (): Record<string, string> => ({
  NODE_ENV: 'production',
  REDIS_URL: redis.url,
  DATABASE_URL: postgres.url,
  JWT_PRIVATE_KEY: generateKeyPairSync('ed25519')
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString(),
  WEB_CONCURRENCY: '2',
})

interface Running {
  url: string
  stop(): Promise<number | null>
}

async function start(env: Record<string, string>): Promise<Running> {
  const [port, adminPort] = [await freePort(), await freePort()]
  // As its Dockerfile does: between a signal and the service stands no npm.
  const child = spawn(process.execPath, ['dist/main.js'], {
    cwd: folder,
    env: { PATH, HOME, HOST: '127.0.0.1', PORT: `${port}`, ADMIN_PORT: `${adminPort}`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))
  const ready = async (): Promise<number> => {
    if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}:\n${output}`)
    return fetch(`http://127.0.0.1:${adminPort}/readyz`).then(
      ({ status }) => status,
      () => 0,
    )
  }
  await expect.poll(ready, { timeout: 60_000 }).toBe(200)
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      const exited = once(child, 'exit') as Promise<[number | null]>
      child.kill('SIGTERM')
      return (await exited)[0]
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

const json = { 'Content-Type': 'application/json' }
const post = (url: string, body: object): Promise<Response> =>
  fetch(url, { method: 'POST', headers: json, body: JSON.stringify(body) })

describe('the example, copied out of the repository', () => {
  it('names no part of it that is not published', () => {
    const texts = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => !path.startsWith('node_modules') && /\.(?:ts|js|json|md|yaml)$/.test(path))
      .map((path) => [path, readFileSync(join(folder, path), 'utf8')] as const)
    for (const [path, text] of texts)
      expect([path, text]).not.toEqual([path, expect.stringMatching(/@scale\/devkit|workspace:|catalog:/)])
  })

  it('is checked by its own compiler settings, with its tests', async () => {
    await npm('run', 'check')
  })

  it('runs its own tests', async () => {
    await npm('test', '--', 'config', 'discovered')
  })

  it('migrates, and once is enough', async () => {
    // It has no other way to know where: variables alone.
    const migrate = async (): Promise<string> => {
      const { code, output } = await run('npm', ['run', '--silent', 'migrate'], {
        cwd: folder,
        env: production(),
      })
      expect([code, output]).toEqual([0, expect.any(String)])
      return output
    }
    expect(await migrate()).toMatch(/^001-users\.sql\n/)
    expect(await migrate()).toMatch(/up to date/)
  })

  it('serves in production without what only developing needs: two copies, one service', async () => {
    await npm('prune', '--omit=dev', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts')
    expect(existsSync(join(folder, 'node_modules/tsx'))).toBe(false)
    const env = production()
    const [one, other] = (await Promise.all([start(env), start(env)])) as [Running, Running]
    const me = { name: 'Ada Lovelace', email: 'ada@example.org', password: 'correct horse battery' }
    expect((await post(`${one.url}/v1/users`, me)).status).toBe(201)
    const login = await post(`${one.url}/v1/login`, me)
    expect(login.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-session=.*; Secure/)])
    const { token } = (await login.json()) as { token: string }
    const profile = (copy: Running): Promise<Response> =>
      fetch(`${copy.url}/v1/profile`, { headers: { Authorization: `Bearer ${token}` } })
    expect((await profile(one)).headers.get('cache-status')).toMatch(/fwd=uri-miss/)
    const second = await profile(other)
    expect([second.status, second.headers.get('cache-status')]).toEqual([200, expect.stringMatching(/; hit/)])
    expect(await second.json()).toMatchObject({ email: me.email })
    const page = await fetch(one.url)
    expect([page.status, page.headers.get('strict-transport-security')]).toEqual([200, expect.any(String)])
    expect(page.headers.get('content-security-policy')).toContain('upgrade-insecure-requests')
    expect((await fetch(`${one.url}/app.js`)).status).toBe(200)
    expect(await Promise.all([one.stop(), other.stop()])).toEqual([0, 0])
  }, 120_000)

  it('says what is missing, and ends with 78, where it is not told', async () => {
    const { code, output } = await run('npm', ['run', '--silent', 'start'], {
      cwd: folder,
      env: { NODE_ENV: 'production' },
    })
    expect([code, output]).toEqual([
      78,
      expect.stringMatching(/REDIS_URL: .*\n {2}DATABASE_URL: .*\n {2}JWT_PRIVATE_KEY: /),
    ])
  })
})
