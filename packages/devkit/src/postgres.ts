import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unpackDebianPackages } from './debian.js'

/** A private PostgreSQL server. */
export interface PostgresServer {
  /** `postgres://postgres@127.0.0.1:port/postgres` */
  readonly url: string
  /** Ends it at once, as a crash would: connections are cut, the next start recovers. `restart()` brings it back. */
  kill(): Promise<void>
  /** Starts it again on the same port, with what was in it. */
  restart(): Promise<void>
  /** Ends it for good and removes its files. */
  stop(): Promise<void>
}

/** PostgreSQL refuses to run as root; then it runs as the user that owns nothing. */
const NOBODY = { uid: 65_534, gid: 65_534 }

/**
 * Starts a private PostgreSQL of the distribution, unpacked without root, with its files in a temporary folder.
 *
 * @throws {Error} it cannot be had, or does not start; the message ends with what it said
 */
export async function testPostgres(): Promise<PostgresServer> {
  const { bin, libraries } = await findPostgres()
  const folder = await mkdtemp(join(tmpdir(), 'scale-postgres-'))
  const isRoot = process.getuid?.() === 0
  const user = isRoot ? NOBODY : {}
  if (isRoot) await chown(folder, NOBODY.uid, NOBODY.gid)
  await chmod(folder, 0o700)
  const env = { ...process.env, ...libraries, LC_ALL: 'C' }
  const data = join(folder, 'data')
  const init = ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '--encoding=UTF8']
  const { status, stderr } = spawnSync(join(bin, 'initdb'), init, {
    ...user,
    env,
    cwd: folder,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`initdb failed: ${stderr}`)

  const port = await freePort()
  const settings = [
    'fsync=off',
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    `unix_socket_directories=${folder}`,
  ]
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(join(bin, 'postgres'), args, {
      ...user,
      env,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    await untilReady(child)
    return child
  }
  const end = async (signal: 'SIGINT' | 'SIGQUIT'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await exited
  }
  let child = await start()
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    kill: () => end('SIGQUIT'),
    async restart() {
      await end('SIGQUIT')
      child = await start()
    },
    async stop() {
      await end('SIGINT')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** On the machine, else in the distribution's packages. */
async function findPostgres(): Promise<{ bin: string; libraries: Record<string, string> }> {
  const installed = await newestBin('/')
  if (installed !== undefined) return { bin: installed, libraries: {} }
  const { root, env } = await unpackDebianPackages(['postgresql'])
  const bin = await newestBin(root)
  if (bin === undefined)
    throw new Error('There is no PostgreSQL server, neither here nor in the package `postgresql`.')
  return { bin, libraries: env }
}

async function newestBin(root: string): Promise<string | undefined> {
  const versions = join(root, 'usr/lib/postgresql')
  const folders = await readdir(versions).catch((): string[] => [])
  return folders
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(versions, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')))
}

function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = ''
    child.stderr!.on('data', (data) => {
      log += data
      if (/ready to accept connections/.test(log)) resolve()
    })
    child.on('exit', () => reject(new Error(`PostgreSQL did not start: ${log.slice(-2_000)}`)))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
