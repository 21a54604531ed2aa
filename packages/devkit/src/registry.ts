import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { npmPackage } from './npm-package.js'

/** A private registry of packages. */
export interface Registry {
  /** `http://127.0.0.1:port/` */
  readonly url: string
  /** Lines of an `.npmrc` that has the scope `@scale` here, and may publish; npm, pnpm and yarn 1 read them. */
  readonly npmrc: string
  /** The environment for an npm that reads nothing else. */
  readonly env: Record<string, string>
  stop(): Promise<void>
}

/** Of the last major that runs on Node 20. */
const VERSION = '6.7.4'

/** It asks for a tag of this package, which not every mirror of the registry has. */
const AS_RELEASED = { 'node-fetch': '^2.7.0' }

/** Starts verdaccio with nothing in it, and no way to another registry: what is not published here is not there. */
export async function localRegistry(): Promise<Registry> {
  const program = join(await npmPackage('verdaccio', VERSION, AS_RELEASED), 'bin/verdaccio')
  const folder = mkdtempSync(join(tmpdir(), 'scale-registry-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const config = {
    storage: './storage',
    auth: { htpasswd: { file: './htpasswd' } },
    uplinks: {},
    packages: { '**': { access: '$all', publish: '$all' } },
    max_body_size: '50mb',
    web: { enable: false },
    log: { type: 'stdout', format: 'json', level: 'warn' },
  }
  // YAML takes JSON.
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config))
  const npmrc = `@scale:registry=${url}\n//127.0.0.1:${port}/:_authToken=anybody\n`
  writeFileSync(join(folder, 'npmrc'), npmrc)
  const args = [program, '--config', join(folder, 'config.yaml'), '--listen', `127.0.0.1:${port}`]
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  await untilAnswering(url, child)
  return {
    url,
    npmrc,
    env: { NPM_CONFIG_USERCONFIG: join(folder, 'npmrc') },
    async stop() {
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.kill()
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function untilAnswering(url: string, child: ChildProcess): Promise<void> {
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (data) => (output += data))
  while (child.exitCode === null) {
    const isThere = await fetch(`${url}-/ping`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isThere) return
    await sleep(50)
  }
  throw new Error(`The registry ended with ${child.exitCode}:\n${output}`)
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
