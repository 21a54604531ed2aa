import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { buildFolder, bundle } from './bundle.js'
import { inTestTime } from './time.js'

/** Longer than any time of the defaults. */
const PATIENCE_MS = 20_000 + inTestTime(120_000)

const packageFolder = fileURLToPath(new URL('..', import.meta.url))
const compiled = new Map<string, Promise<string>>()
const folders: string[] = []
const apps: AppProcess[] = []

// Not at the end of each test: tests that run side by side would end one another's apps.
afterAll(() => {
  for (const { pid } of apps) {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // The group is gone.
    }
  }
  for (const folder of folders) rmSync(folder, { recursive: true })
})

/** A folder of its own, until the file's tests are over. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'scale-cluster-'))
  folders.push(path)
  return path
}

/** Bundles a file of `test/fixtures`, or of `src`, once for all tests of a file. */
export function compile(name: string): Promise<string> {
  let file = compiled.get(name)
  if (file === undefined) {
    const folder = mkdtempSync(join(buildFolder(), 'build-'))
    folders.push(folder)
    file = bundle(name.startsWith('src/') ? `${name}.ts` : `test/fixtures/${name}.ts`, folder)
    compiled.set(name, file)
  }
  return file
}

/** One JSON line of the app. */
export type AppEvent = { type: string } & Record<string, unknown>

/** An app under test and everything that it said. Killed, with its workers, after the last test of the file. */
export class AppProcess {
  readonly events: AppEvent[] = []
  readonly other: string[] = []
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  private waiters = new Set<() => void>()
  /** Nobody is left who could say anything: its workers, too, have ended. */
  private isSilent = false

  constructor(readonly child: ChildProcess) {
    this.exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }))
    for (const stream of [child.stderr!, child.stdout!]) {
      createInterface(stream).on('line', (line) => this.onLine(line))
    }
    child.once('close', () => {
      this.isSilent = true
      this.wake()
    })
  }

  /** As `exited`, when all that it and its workers said has been read. */
  async ended(): Promise<{ code: number | null; signal: string | null }> {
    const how = await this.exited
    while (!this.isSilent) await new Promise<void>((resolve) => this.child.once('close', () => resolve()))
    return how
  }

  get pid(): number {
    return this.child.pid!
  }

  of(type: string, matching: Record<string, unknown> = {}): AppEvent[] {
    return this.events.filter(
      (event) =>
        event.type === type && Object.entries(matching).every(([key, value]) => event[key] === value),
    )
  }

  /** Waits until `count` events of a type that match have been said. */
  async said(type: string, matching: Record<string, unknown> = {}, count = 1): Promise<AppEvent> {
    await this.until(
      () => this.of(type, matching).length >= count,
      `${count} × ${type} ${JSON.stringify(matching)}`,
    )
    return this.of(type, matching)[count - 1]!
  }

  async until(condition: () => boolean, what: string, timeoutMs: number = PATIENCE_MS): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (!condition()) {
      if (this.isSilent) {
        await sleep(200)
        if (condition()) return
        throw new Error(`no ${what}: all processes have ended; said:\n${this.transcript()}`)
      }
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`no ${what} within ${timeoutMs} ms; said:\n${this.transcript()}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, Math.min(left, 250))
        const waiters = this.waiters
        function done(): void {
          clearTimeout(timer)
          waiters.delete(done)
          resolve()
        }
        waiters.add(done)
      })
    }
  }

  /** Pids of all processes that said they had started. */
  workerPids(): number[] {
    return this.of('started').map(({ pid }) => pid as number)
  }

  transcript(): string {
    return [...this.events.map((event) => JSON.stringify(event)), ...this.other].join('\n')
  }

  private onLine(line: string): void {
    try {
      this.events.push(JSON.parse(line) as AppEvent)
    } catch {
      this.other.push(line)
    }
    this.wake()
  }

  private wake(): void {
    for (const waiter of this.waiters) waiter()
  }
}

/** Starts a command as an app under test. */
export function launch(
  command: string,
  args: string[],
  settings: { env?: Record<string, string>; cwd?: string } = {},
): AppProcess {
  const child = spawn(command, args, {
    cwd: settings.cwd ?? packageFolder,
    env: { ...cleanEnv(), ...settings.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: at the end the whole group is killed, orphans included.
    detached: true,
  })
  const app = new AppProcess(child)
  apps.push(app)
  return app
}

/** Starts the fixture `app` with its settings. */
export async function startApp(
  settings: object,
  launching: { node?: string; nodeArgs?: string[]; env?: Record<string, string>; fixture?: string } = {},
): Promise<AppProcess> {
  const { node = process.execPath, nodeArgs = [], env = {}, fixture = 'app' } = launching
  const file = await compile(fixture)
  return launch(node, [...nodeArgs, file], { env: { ...env, APP: JSON.stringify(settings) } })
}

/** Without what vitest sets: NODE_ENV=test, its own NODE_OPTIONS. */
function cleanEnv(): NodeJS.ProcessEnv {
  const { NODE_ENV: _, NODE_OPTIONS: __, WEB_CONCURRENCY: ___, ...env } = process.env
  return env
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Whether a process runs; one that has ended and waits for a parent that died before it does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch (error) {
    // Without /proc, to be signalled is to be alive.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync('/proc/self')
  }
}
