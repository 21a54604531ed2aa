import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const dataFolder = fileURLToPath(new URL('../.data/test', import.meta.url))

/** One running copy of the service, as `pnpm dev` starts it. */
export interface Service {
  url: string
  adminUrl: string
  /** Everything it has printed. */
  output(): string
  /** Asks it to end (SIGTERM). @returns its exit code */
  stop(): Promise<number | null>
}

/** Starts a copy and waits until it is ready. Its embedded PostgreSQL is shared by all copies of the tests. */
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
    output: () => output,
    async stop() {
      child.kill('SIGTERM')
      return exited
    },
  }
}

/** Starts the program and gives back what it printed and how it ended. */
export async function runToEnd(
  env: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  const child = run(env)
  let output = ''
  child.stdout!.on('data', (data) => (output += data))
  child.stderr!.on('data', (data) => (output += data))
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve))
  return { code, output }
}

function run(env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, ['--conditions=@scale/source', '--import', 'tsx', main], {
    env: { ...process.env, NODE_ENV: 'development', DATA_DIR: dataFolder, ...env },
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

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** Sends JSON, or nothing, and reads the JSON that comes back. */
export async function call(
  url: string,
  method: string,
  path: string,
  options: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: Headers; body: Record<string, unknown>; tookMs: number }> {
  const startedAt = performance.now()
  const response = await fetch(url + path, {
    method,
    headers: {
      // A new connection each time: the next request may meet another worker.
      Connection: 'close',
      ...(options.body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` }),
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  })
  const text = await response.text()
  const tookMs = performance.now() - startedAt
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? {} : JSON.parse(text),
    tookMs,
  }
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
