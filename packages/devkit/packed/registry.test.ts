import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RedisServer } from '../../redis/src/testing/index.js'
import { tarballOf } from '../src/packing.js'
import { redisOnPath } from '../src/redis-program.js'
import { testRedis } from '../src/redis-server.js'
import { localRegistry, type Registry } from '../src/registry.js'
import { inPublishOrder, publish } from '../src/release/publish.js'
import { type Ended, pnpm, run } from '../src/run.js'
import { type Manifest, publishedPackages } from '../src/workspace.js'
import { yarn } from './yarn.js'

// A release, to a registry of one's own: published, installed by name, created from, followed by a prerelease.

const [{ manifest: first }] = publishedPackages() as [ReturnType<typeof publishedPackages>[0]]
const BETA = '99.0.0-beta.0'
let registry: Registry
let redis: RedisServer
const folders: string[] = []

function folderFor(name: string, manifest: object = {}): string {
  const folder = mkdtempSync(join(tmpdir(), `scale-${name}-`))
  folders.push(folder)
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, ...manifest }),
  )
  // Where it is, and where the others are is what npm was told.
  writeFileSync(join(folder, '.npmrc'), registry.npmrc)
  return folder
}

async function succeeds(ended: Promise<Ended>): Promise<string> {
  const { code, output, stdout } = await ended
  expect(code, output).toBe(0)
  return stdout
}

const QUIET = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline']
const npm = (folder: string, args: string[], env: Record<string, string> = {}): Promise<string> =>
  succeeds(run('npm', args, { cwd: folder, env: { ...registry.env, ...env } }))

beforeAll(async () => {
  ;[registry, redis] = await Promise.all([localRegistry(), testRedis()])
  for (const project of inPublishOrder()) await publish(project, { env: registry.env })
}, 300_000)
afterAll(async () => {
  await Promise.all([registry?.stop(), redis?.stop()])
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** What the registry says of a package. */
async function tagsOf(name: string): Promise<Record<string, string>> {
  const answer = await fetch(`${registry.url}${name.replace('/', '%2f')}`)
  return ((await answer.json()) as { 'dist-tags': Record<string, string> })['dist-tags']
}

/** The tarball of a package under another version, which is also that of what it needs of us. */
function asBeta(name: string): string {
  const project = publishedPackages().find(({ manifest }) => manifest.name === name)!
  const folder = mkdtempSync(join(tmpdir(), 'scale-beta-'))
  folders.push(folder)
  execFileSync('tar', ['-xzf', tarballOf(project), '-C', folder])
  const path = join(folder, 'package/package.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest
  const dependencies = Object.entries(manifest.dependencies ?? {})
  manifest.version = BETA
  manifest.dependencies = Object.fromEntries(
    dependencies.map(([other, range]) => [other, other.startsWith('@scale/') ? BETA : range]),
  )
  writeFileSync(path, JSON.stringify(manifest))
  const tarball = join(folder, 'beta.tgz')
  execFileSync('tar', ['-czf', tarball, '-C', folder, 'package'])
  return tarball
}

it('every package is there, as the latest', async () => {
  for (const { manifest } of publishedPackages()) {
    expect([manifest.name, await tagsOf(manifest.name)]).toEqual([
      manifest.name,
      { latest: manifest.version },
    ])
  }
})

it('a tarball is not published without provenance by mistake', async () => {
  const args = ['publish', asBeta('@scale/workers'), '--tag=beta']
  const { code, output } = await run('npm', args, { env: registry.env })
  expect(code).not.toBe(0)
  expect(output).toMatch(/provenance/i)
  expect(await tagsOf('@scale/workers')).not.toHaveProperty('beta')
})

const dependencies = {
  ...Object.fromEntries(['session', 'rate-limit', 'redis', 'errors'].map((name) => [`@scale/${name}`, '*'])),
  express: '^5.0.0',
  ioredis: '^6.0.0',
}

describe.each([
  {
    by: 'npm',
    install: (folder: string) => run('npm', ['install', ...QUIET], { cwd: folder, env: registry.env }),
  },
  {
    by: 'pnpm',
    install: (folder: string) => {
      const settings = { minimumReleaseAge: 0, hoist: false, autoInstallPeers: false }
      writeFileSync(join(folder, 'pnpm-workspace.yaml'), JSON.stringify(settings))
      return pnpm(['install', '--no-frozen-lockfile', '--ignore-scripts', '--prefer-offline'], {
        cwd: folder,
      })
    },
  },
  {
    by: 'yarn 1',
    install: (folder: string) =>
      yarn(1, folder, ['install', '--ignore-scripts', '--non-interactive', '--no-lockfile']),
  },
  {
    by: "yarn 4 with Plug'n'Play",
    install: (folder: string) => {
      writeFileSync(join(folder, 'yarn.lock'), '')
      const scope = { npmRegistryServer: registry.url }
      // What yarn remembers of packages names the registry that they were from, and the next one has another port.
      const globalFolder = join(folder, '.yarn')
      writeFileSync(
        join(folder, '.yarnrc.yml'),
        JSON.stringify({ npmScopes: { scale: scope }, npmPreapprovedPackages: ['@scale/*'], globalFolder }),
      )
      return yarn(4, folder, ['install'])
    },
  },
])('by $by', ({ by, install }) => {
  it('is installed by name, and serves', async () => {
    const folder = folderFor(by.replace(/\W/g, ''), { dependencies })
    copyFileSync(new URL('./consumer/upgraded.cjs', import.meta.url), join(folder, 'app.cjs'))
    await succeeds(install(folder))
    const env = { REDIS_URL: redis.url }
    const output = await succeeds(
      by.startsWith('yarn 4')
        ? yarn(4, folder, ['node', 'app.cjs'], env)
        : run(process.execPath, ['app.cjs'], { cwd: folder, env }),
    )
    expect(JSON.parse(output)).toMatchObject({ status: 200, body: { userId: 'ada' } })
  }, 180_000)
})

describe('npm create @scale@latest', () => {
  it.each([
    { parts: 'no parts', flags: [] },
    { parts: 'every part', flags: ['--', '--with', 'catalogue,oidc'] },
  ])(
    'with $parts writes an app that passes its own tests at once',
    async ({ flags }) => {
      const folder = folderFor('create')
      await npm(folder, ['create', '--yes', '@scale@latest', 'my-service', ...flags])
      const app = join(folder, 'my-service')
      writeFileSync(join(app, '.npmrc'), registry.npmrc)
      await npm(app, ['install', ...QUIET])
      await npm(app, ['run', 'check'])
      await npm(app, ['test'], await redisOnPath())
      await npm(app, ['run', 'build'])
      expect(readdirSync(join(app, 'dist'))).toContain('main.js')
    },
    420_000,
  )
})

describe('a prerelease', () => {
  const ours = ['core', 'redis', 'errors', 'session', 'rate-limit'].map((name) => `@scale/${name}`)

  beforeAll(async () => {
    for (const name of ours) {
      const project = publishedPackages().find(({ manifest }) => manifest.name === name)!
      await publish(project, { tarball: asBeta(name), version: BETA, env: registry.env })
    }
  }, 120_000)

  it('is offered under its name, and to nobody who does not ask for it', async () => {
    for (const name of ours) expect(await tagsOf(name)).toEqual({ latest: first.version, beta: BETA })
  })

  it('is upgraded to, all packages together, and finds sessions and quotas where they were', async () => {
    const folder = folderFor('upgrade', { dependencies })
    copyFileSync(new URL('./consumer/upgraded.cjs', import.meta.url), join(folder, 'app.cjs'))
    const serve = async (...args: string[]): Promise<{ token: string; remaining: number }> =>
      JSON.parse(
        await succeeds(
          run(process.execPath, ['app.cjs', ...args], { cwd: folder, env: { REDIS_URL: `${redis.url}/1` } }),
        ),
      )
    const versions = (): (string | undefined)[] =>
      ours.map((name) => {
        const text = readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')
        return (JSON.parse(text) as Manifest).version
      })
    await npm(folder, ['install', ...QUIET])
    expect(new Set(versions())).toEqual(new Set([first.version]))
    const before = await serve()
    expect(before).toMatchObject({ status: 200, remaining: 9 })

    const wanted = ours.filter((name) => name !== '@scale/core').map((name) => `${name}@beta`)
    await npm(folder, ['install', ...QUIET, ...wanted])
    expect(new Set(versions())).toEqual(new Set([BETA]))
    expect(await serve(before.token)).toMatchObject({ status: 200, body: { userId: 'ada' }, remaining: 8 })

    // And back again, as a deploy that went wrong is.
    await npm(folder, ['install', ...QUIET, ...wanted.map((name) => name.replace('@beta', '@latest'))])
    expect(new Set(versions())).toEqual(new Set([first.version]))
    expect(await serve(before.token)).toMatchObject({ status: 200, remaining: 7 })
  }, 180_000)
})
