import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished, vi } from 'vitest'

// A real process whose stdout is a pipe, as in a container.

const app = fileURLToPath(new URL('fixtures/app.ts', import.meta.url))

interface Running {
  child: ChildProcess
  port: number
  /** What has been read of its stdout; nothing before `read` is called. */
  lines(): Record<string, unknown>[]
  read(): void
  errors(): string
}

async function start(): Promise<Running> {
  const child = fork(app, [], {
    execArgv: ['--expose-gc', '--conditions=@scale/source', '--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  let errors = ''
  child.stderr!.on('data', (data) => (errors += data))
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    child,
    port,
    lines: () =>
      output
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    read: () => void child.stdout!.on('data', (data) => (output += data)),
    errors: () => errors,
  }
}

/** @returns the request id of each answer, as clients have them */
async function ask(port: number, count: number, agent: http.Agent): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    const request = http.get({ port, host: '127.0.0.1', path: `/${n}`, agent })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    response.resume()
    await once(response, 'end')
    ids.push(String(response.headers['x-request-id']))
  }
  return ids
}

/** Resolves when the process has ended and its pipes are read to their end. */
async function ended({ child }: Running): Promise<number | null> {
  const [code] = (await once(child, 'close')) as [number | null]
  return code
}

it('on SIGTERM under load every request that was answered has its line, the last one too', async () => {
  const running = await start()
  running.read()
  const answered: string[] = []
  let isOver = false
  const clients = Array.from({ length: 8 }, async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    while (!isOver) {
      try {
        answered.push(...(await ask(running.port, 1, agent)))
      } catch {
        // The server is gone.
        break
      }
    }
    agent.destroy()
  })
  await vi.waitFor(() => expect(answered.length).toBeGreaterThan(500), 20_000)
  running.child.kill('SIGTERM')
  const code = await ended(running)
  isOver = true
  await Promise.all(clients)
  expect(code).toBe(0)
  const logged = new Set(running.lines().map((line) => line.request_id))
  expect(answered.filter((id) => !logged.has(id))).toEqual([])
})

it('a destination that stalls costs lines, which are counted, and no request and no memory', async () => {
  const running = await start()
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const memory = async (): Promise<number> =>
    Number(await (await fetch(`http://127.0.0.1:${running.port}/memory`)).text())
  // Nobody reads: the pipe and the buffer are full after half of it, and requests go on all the same.
  const ids = await ask(running.port, 2_000, agent)
  const whenFull = await memory()
  ids.push(...(await ask(running.port, 2_000, agent)))
  expect(new Set(ids).size).toBe(4_000)
  // 2,000 more lines would be 800 kB.
  expect((await memory()) - whenFull).toBeLessThan(400_000)
  running.read()
  // Once it is read again, the next line says what is missing.
  await vi.waitFor(async () => {
    ids.push(...(await ask(running.port, 1, agent)))
    expect(running.lines().some((line) => line.msg === 'log lines were dropped')).toBe(true)
  }, 10_000)
  agent.destroy()
  running.child.kill('SIGTERM')
  expect(await ended(running)).toBe(0)
  const lines = running.lines()
  const dropped = lines.reduce((sum, line) => sum + Number(line.dropped ?? 0), 0)
  const written = lines.filter((line) => line.msg === 'request completed').length
  expect(dropped).toBeGreaterThan(0)
  // Two requests asked for the memory.
  expect(written + dropped).toBe(ids.length + 2)
}, 60_000)

it('a destination that stalls leaves the latency of the server as it is: beside one that is read, in turns', async () => {
  const [stalled, flowing] = [await start(), await start()]
  flowing.read()
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  // The pipe and the buffer are full from here on, and both processes are warm.
  for (const { port } of [stalled, flowing]) await ask(port, 4_000, agent)
  const times = { stalled: [] as number[], flowing: [] as number[] }
  for (let turn = 0; turn < 1_000; turn++) {
    for (const [name, { port }] of [
      ['stalled', stalled],
      ['flowing', flowing],
    ] as const) {
      const startedAt = performance.now()
      await ask(port, 1, agent)
      times[name].push(performance.now() - startedAt)
    }
  }
  agent.destroy()
  const at = (name: keyof typeof times, share: number): number =>
    times[name].toSorted((a, b) => a - b)[Math.ceil(1_000 * share) - 1]!
  expect(at('stalled', 0.5)).toBeLessThan(1.5 * at('flowing', 0.5) + 0.2)
  expect(at('stalled', 0.99)).toBeLessThan(2 * at('flowing', 0.99) + 5)
  // It did stall.
  stalled.read()
  await vi.waitFor(() => expect(stalled.lines().length).toBeGreaterThan(0), 10_000)
  stalled.child.kill('SIGTERM')
  expect(await ended(stalled)).toBe(0)
  expect(stalled.lines().reduce((sum, line) => sum + Number(line.dropped ?? 0), 0)).toBeGreaterThan(1_000)
}, 60_000)

it('a destination that stalls for good does not keep the process from ending', async () => {
  const running = await start()
  await ask(running.port, 2_000, new http.Agent({ keepAlive: true, maxSockets: 1 }))
  running.child.kill('SIGTERM')
  const [code] = (await once(running.child, 'exit')) as [number]
  expect(code).toBe(0)
  expect(running.errors()).toContain('ERR_SCALE_LOG_STALLED')
}, 60_000)

it.each([
  ['/crash', 1],
  ['/exit', 3],
])('what was logged just before the end by %s is there', async (path, code) => {
  const running = await start()
  running.read()
  http.get({ port: running.port, host: '127.0.0.1', path }).on('error', () => {})
  expect(await ended(running)).toBe(code)
  expect(running.lines()).toMatchObject([{ msg: 'last words' }])
})

it('lines of workers that share a pipe do not mix, though it is full all the time', async () => {
  const workers = fileURLToPath(new URL('fixtures/workers.ts', import.meta.url))
  // Between two programs of a shell there is a real pipe; what `fork` makes is a socket.
  const child = spawn(
    'sh',
    ['-c', '"$0" --conditions=@scale/source --import tsx "$1" | cat', process.execPath, workers],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let queued = ''
  child.stderr.on('data', (data) => (queued += data))
  // Nobody reads before both have more to write than the pipe takes.
  await vi.waitFor(() => expect(queued).toBe('queued\nqueued\n'), 20_000)
  let output = ''
  for await (const chunk of child.stdout) output += chunk
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { 'worker.id': number; n: number })
  for (const id of [1, 2]) {
    expect(lines.filter((line) => line['worker.id'] === id).map(({ n }) => n)).toEqual([
      ...Array(3_000).keys(),
    ])
  }
}, 60_000)
