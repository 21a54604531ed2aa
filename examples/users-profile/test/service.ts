import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const dataFolder = fileURLToPath(new URL(`../.data/test-${process.env.VITEST_POOL_ID ?? 1}`, import.meta.url))

/** One running copy of the service, as `pnpm dev` starts it. */
export interface Service {
  url: string
  adminUrl: string
  /** Of the primary. */
  pid: number
  /** Everything it has printed. */
  output(): string
  /** Asks it to end (SIGTERM). @returns its exit code */
  stop(): Promise<number | null>
  /** Ends it and its workers as the kernel does when memory is short (SIGKILL). */
  kill(): Promise<void>
}

/** What it has logged: every line after the first, which is for people. */
export function logOf(service: Service): Record<string, unknown>[] {
  const [, ...lines] = service.output().trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** Starts a copy and waits until it is ready. Its embedded PostgreSQL is shared by the copies of a file of tests, and not with files beside it. */
export async function startService(env: Record<string, string> = {}): Promise<Service> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const child = run({ PORT: String(port), ADMIN_PORT: String(adminPort), HOST: '127.0.0.1', ...env })
  let output = ''
  child.stdout!.on('data', (data) => (output += data))
  child.stderr!.on('data', (data) => (output += data))
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve))
  const adminUrl = `http://127.0.0.1:${adminPort}`
  await untilReady(adminUrl, child, () => output)
  return {
    url: `http://127.0.0.1:${port}`,
    adminUrl,
    pid: child.pid!,
    output: () => output,
    async stop() {
      child.kill('SIGTERM')
      return exited
    },
    async kill() {
      const all = [child.pid!, ...childrenOf(child.pid!)]
      for (const pid of all) process.kill(pid, 'SIGKILL')
      await exited
    },
  }
}

/** Starts the program and gives back what it printed and how it ended. */
export async function runToEnd(
  env: Record<string, string>,
  args: readonly string[] = [],
): Promise<{ code: number | null; output: string }> {
  const child = run(env, args)
  let output = ''
  child.stdout!.on('data', (data) => (output += data))
  child.stderr!.on('data', (data) => (output += data))
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve))
  return { code, output }
}

/** Others share the address of this machine: what a test asks for is not what they have left. */
const AMPLE = { REGISTRATION_QUOTA: '10000' }

function run(env: Record<string, string>, args: readonly string[] = []): ChildProcess {
  return spawn(process.execPath, ['--conditions=@scale/source', '--import', 'tsx', main, ...args], {
    // The deadline is long: other suites may keep this machine busy, and that is no outage.
    env: {
      ...process.env,
      NODE_ENV: 'development',
      DATA_DIR: dataFolder,
      REDIS_DEADLINE_MS: '2000',
      ...AMPLE,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function untilReady(adminUrl: string, child: ChildProcess, output: () => string): Promise<void> {
  const endsAt = performance.now() + 60_000
  while (performance.now() < endsAt) {
    if (child.exitCode !== null) throw new Error(`The service ended with ${child.exitCode}:\n${output()}`)
    const status = await fetch(`${adminUrl}/readyz`).then(
      (response) => response.status,
      () => 0,
    )
    if (status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`The service was not ready in time:\n${output()}`)
}

/** The workers of a primary, as Linux knows them. */
export function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return list.trim().split(' ').filter(Boolean).map(Number)
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

/** An answer, read to its end. */
export interface Answer {
  status: number
  headers: Headers
  /** Of JSON; `{}` if there is none. */
  body: Record<string, unknown>
  tookMs: number
}

/** Sends JSON, or nothing, and reads the JSON that comes back. Any header may be set, `Host` too. */
export async function call(
  url: string,
  method: string,
  path: string,
  options: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const startedAt = performance.now()
  const payload = options.body === undefined ? undefined : JSON.stringify(options.body)
  const headers = {
    // A new connection each time: the next request may meet another worker.
    Connection: 'close',
    ...(payload === undefined ? {} : { 'Content-Type': 'application/json' }),
    ...(options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` }),
    ...options.headers,
  }
  const sent = request(url + path, { method, headers }).end(payload)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const body = await text(response)
  return {
    status: response.statusCode!,
    headers: headersOf(response),
    body: body === '' ? {} : JSON.parse(body),
    tookMs: performance.now() - startedAt,
  }
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!)
  return headers
}

let newcomers = 0

/** Somebody whom no test has registered before. */
export function newcomer(): { name: string; email: string; password: string } {
  newcomers++
  return {
    name: 'Ada Lovelace',
    email: `ada.${process.pid}.${Date.now()}.${newcomers}@example.org`,
    password: 'correct horse battery',
  }
}
