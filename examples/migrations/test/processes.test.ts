import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'

// What is about processes and signals, in processes.

const run = promisify(execFile)
const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step()
})

const fileOf = (name: string): string => fileURLToPath(new URL(`../src/${name}.js`, import.meta.url))

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

interface Program {
  readonly child: ChildProcess
  readonly said: () => string
  readonly ended: Promise<{ code: number | null; signal: string | null }>
}

/** Runs one of the programs as `node` would. */
function launch(name: string, env: Record<string, string>): Program {
  const { NODE_ENV: _, ...inherited } = process.env
  const args = ['--conditions=@scale/source', '--import', import.meta.resolve('tsx'), fileOf(name)]
  const child = spawn(process.execPath, args, { env: { ...inherited, ...env } })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  child.stderr.on('data', (chunk) => {
    text += chunk
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  cleanUp.push(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, said: () => text, ended }
}

const statusOf = (url: string): Promise<number | undefined> =>
  fetch(url, { headers: { connection: 'close' } }).then(
    async (response) => {
      await response.arrayBuffer()
      return response.status
    },
    () => undefined,
  )

const PATIENCE = { timeout: 20_000, interval: 50 }

describe.each([
  { file: 'before', end: { code: null, signal: 'SIGTERM' } },
  { file: 'after', end: { code: 0, signal: null } },
])('terminus: $file', ({ file, end }) => {
  it('probes, an answer under way at SIGTERM, what is closed, how it ends', async () => {
    const [port, adminPort] = [await freePort(), await freePort()]
    const program = launch(`terminus/${file}`, { PORT: String(port), ADMIN_PORT: String(adminPort) })
    const readyz = `http://127.0.0.1:${file === 'before' ? port : adminPort}/readyz`
    await expect.poll(() => statusOf(readyz), PATIENCE).toBe(200)
    const slow = fetch(`http://127.0.0.1:${port}/slow`)
    await expect.poll(() => program.said(), PATIENCE).toContain('at work')
    program.child.kill('SIGTERM')
    expect(await (await slow).json()).toEqual({ done: true })
    expect(await program.ended).toEqual(end)
    expect(program.said()).toContain('database closed')
  })
})

/** Asks until it is stopped, each time on a connection of its own. @returns what came of all requests */
function ask(url: string): () => Promise<{ failed: number; pids: Set<number> }> {
  const seen = { failed: 0, pids: new Set<number>() }
  let isAsking = true
  const loop = (async () => {
    while (isAsking) {
      try {
        const response = await fetch(url, { headers: { connection: 'close' } })
        seen.pids.add(((await response.json()) as { pid: number }).pid)
      } catch {
        seen.failed++
      }
    }
  })()
  return async () => {
    isAsking = false
    await loop
    return seen
  }
}

describe('pm2', () => {
  it('before: two processes, a reload under load', async () => {
    const home = await mkdtemp(join(tmpdir(), 'pm2-'))
    const port = await freePort()
    const bin = fileURLToPath(new URL('../node_modules/pm2/bin/pm2', import.meta.url))
    const { NODE_ENV: _, ...inherited } = process.env
    const env = { ...inherited, PM2_HOME: home, PORT: String(port) }
    const pm2 = (...args: string[]) => run(process.execPath, [bin, ...args], { env, cwd: home })
    cleanUp.push(async () => {
      await pm2('kill')
      await rm(home, { recursive: true, force: true })
    })
    await pm2('start', fileOf('pm2/before'), '--name', 'app', '--instances', '2', '--wait-ready')
    const stop = ask(`http://127.0.0.1:${port}/`)
    await pm2('reload', 'app')
    const { failed, pids } = await stop()
    expect([failed, pids.size >= 3]).toEqual([0, true])
  })

  it('after: the same without PM2', async () => {
    const port = await freePort()
    const program = launch('pm2/after', { PORT: String(port) })
    const url = `http://127.0.0.1:${port}/`
    await expect.poll(() => statusOf(url), PATIENCE).toBe(200)
    await expect.poll(() => program.said().match(/ready/g)?.length ?? 0, PATIENCE).toBeGreaterThanOrEqual(2)
    const stop = ask(url)
    program.child.kill('SIGHUP')
    await expect.poll(() => program.said(), PATIENCE).toMatch(/reload.*done|done.*reload/i)
    const { failed, pids } = await stop()
    expect([failed, pids.size >= 3]).toEqual([0, true])
    program.child.kill('SIGTERM')
    expect(await program.ended).toEqual({ code: 0, signal: null })
  })
})
