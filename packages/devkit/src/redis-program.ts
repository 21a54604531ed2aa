import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cachedFolder } from './cached-folder.js'
import { unpackDebianPackages } from './debian.js'

const run = promisify(execFile)
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/scale/programs', import.meta.url))

/** A Redis server program that runs on this machine; `startRedis` takes it as it is. */
export interface FoundRedisServer {
  /** Path of `redis-server` or `valkey-server`. A sentinel is the same program with `--sentinel`. */
  readonly binary: string
  /** Path of the command-line client, if there is one. */
  readonly cli: string | undefined
  /** Set these for either program. */
  readonly env: Record<string, string>
  /** Where it was found, for a person: `redis-server 7.0.15 on the PATH`. */
  readonly source: string
}

let found: Promise<FoundRedisServer> | undefined

/**
 * Finds a Redis or Valkey server: on the PATH, else the distribution's own package, unpacked without root into the
 * workspace's cache (some 3 s the first time). Safe to be called by many processes at once.
 *
 * @throws {Error} there is none to be had; one sentence on what was tried, one on what to do
 */
export function findRedisServer(): Promise<FoundRedisServer> {
  found ??= findOnPath()
    .then((server) => server ?? findInPackages())
    .catch((error) => {
      found = undefined
      throw error
    })
  return found
}

/**
 * The environment in which a Redis server is on the PATH, for programs that look for it there.
 *
 * @returns  nothing to set if there is one already, or none to be had
 */
export async function redisOnPath(): Promise<{ PATH?: string }> {
  const server = await findRedisServer().catch(() => undefined)
  if (server === undefined || Object.keys(server.env).length === 0) return {}
  const words = [server.binary, ...Object.entries(server.env).map(([name, value]) => `${name}=${value}`)]
  const name = createHash('sha256').update(words.join('\n')).digest('hex').slice(0, 16)
  // What the program needs is set for it alone, and not for whoever starts it.
  const folder = await cachedFolder(join(CACHE, name), async (temporary) => {
    const [program, ...settings] = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
    const script = `#!/bin/sh\nexec env ${settings.join(' ')} ${program} "$@"\n`
    await writeFile(join(temporary, 'redis-server'), script, { mode: 0o755 })
  })
  return { PATH: `${folder}${delimiter}${process.env.PATH ?? ''}` }
}

async function findOnPath(): Promise<FoundRedisServer | undefined> {
  for (const brand of ['redis', 'valkey']) {
    const binary = onPath(`${brand}-server`)
    if (binary === undefined) continue
    const name = await nameOf(binary, {})
    return { binary, cli: onPath(`${brand}-cli`), env: {}, source: `${name} on the PATH` }
  }
}

function onPath(program: string): string | undefined {
  return process.env.PATH?.split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

async function findInPackages(): Promise<FoundRedisServer> {
  try {
    const packages = await unpackDebianPackages(['redis-server'])
    const binary = packages.program('redis-server')
    if (binary === undefined) throw new Error('the package `redis-server` holds no such program')
    const name = await nameOf(binary, packages.env)
    const source = `${name} from the distribution's package`
    return { binary, cli: packages.program('redis-cli'), env: packages.env, source }
  } catch (error) {
    throw new Error(
      'No Redis: there is no `redis-server` or `valkey-server` on the PATH, and the package of Debian or Ubuntu ' +
        `could not be unpacked (${error instanceof Error ? error.message : error}). ` +
        'Install Redis 6.2 or Valkey 7.2 or later, so that its server is on the PATH.',
      { cause: error },
    )
  }
}

/** `redis-server 7.0.15`. Throws if the program cannot be run. */
async function nameOf(binary: string, env: Record<string, string>): Promise<string> {
  const { stdout } = await run(binary, ['--version'], { env: { ...process.env, ...env } })
  const [, brand = 'Redis', version = 'of unknown version'] = stdout.match(/^(\w+) server v=([\d.]+)/) ?? []
  return `${brand.toLowerCase()}-server ${version}`
}
