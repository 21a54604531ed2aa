import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type AppProcess, freePort, isAlive, startApp, temporaryFolder } from './app-process.js'

const watchdog = { intervalMs: 200, timeoutMs: 2_000 }

describe.concurrent('an app that cannot start ends the primary, after 3 failures per worker', () => {
  test.for([
    { boot: 'throw', code: 70, bootTimeoutMs: 20_000 },
    { boot: 'reject', code: 70, bootTimeoutMs: 20_000 },
    { boot: 'exit', code: 9, bootTimeoutMs: 20_000 },
    { boot: 'exit-zero', code: 75, bootTimeoutMs: 20_000 },
    { boot: 'hang', code: 75, bootTimeoutMs: 1_000 },
    { boot: 'block', code: 75, bootTimeoutMs: 1_000 },
  ])('$boot at boot: status $code', async ({ boot, code, bootTimeoutMs }, { expect }) => {
    const options = { workers: 2, bootTimeoutMs, respawn: { baseMs: 20 } }
    const app = await startApp({ options, buildFile: buildFile({ boot }) })
    expect(await app.exited).toEqual({ code, signal: null })
    expect(app.of('worker', { state: 'exited' }).length).toBeGreaterThanOrEqual(6)
    expectNoForkStorm(app, 6, 2)
    await expectNoOrphan(app)
  })

  test('wrong configuration: status 78 at once', async ({ expect }) => {
    const app = await startApp({ options: { workers: 2 }, buildFile: buildFile({ boot: 'config' }) })
    expect(await app.exited).toEqual({ code: 78, signal: null })
    expectNoForkStorm(app, 2, 0)
  })

  test('one process alone: its own status', async ({ expect }) => {
    const app = await startApp({ options: { workers: 1 }, buildFile: buildFile({ boot: 'throw' }) })
    expect(await app.exited).toEqual({ code: 70, signal: null })
    expect(app.of('prepared-stopped')).toHaveLength(1)
  })
})

describe.concurrent('a worker that ends is replaced, the other serves meanwhile', () => {
  test.for([
    { path: '/throw', code: 70 },
    { path: '/reject', code: 70 },
    { path: '/exit', code: 3 },
  ])('$path: status $code', async ({ path, code }, { expect }) => {
    const { app, url } = await running()
    await fetch(`${url}${path}`).catch(() => {})
    expect(await app.said('worker', { state: 'exited' })).toMatchObject({ code })
    await expectReplaced(app, url)
  })

  test('out of memory: ended by SIGABRT', async ({ expect }) => {
    const { app, url } = await running({}, ['--max-old-space-size=64'])
    await fetch(`${url}/grow`).catch(() => {})
    expect(await app.said('worker', { state: 'exited' })).toMatchObject({ signal: 'SIGABRT' })
    await expectReplaced(app, url)
  })

  test('SIGKILL', async ({ expect }) => {
    const { app, url } = await running()
    process.kill(app.workerPids()[0]!, 'SIGKILL')
    expect(await app.said('worker', { state: 'exited' })).toMatchObject({ signal: 'SIGKILL' })
    await expectReplaced(app, url)
  })

  test('a connection that was on its way to it goes to another', async ({ expect }) => {
    const { app, url } = await running()
    const [stopped, other] = app.workerPids()
    process.kill(stopped!, 'SIGSTOP')
    const answers = Array.from({ length: 6 }, () => get(url))
    // One connection waits for the stopped worker; all others were answered by the other one.
    await Promise.race([Promise.all(answers.slice(0, 2)), Promise.all(answers.slice(4))])
    process.kill(stopped!, 'SIGKILL')
    expect(await Promise.all(answers)).toEqual(answers.map(() => String(other)))
  })

  test('SIGTERM to a worker alone: the new one is ready before the old one drains', async ({ expect }) => {
    const { app, url } = await running()
    const victim = app.of('started', { workerId: 1 })[0]!.pid
    process.kill(victim as number, 'SIGTERM')
    expect(await app.said('recycle')).toMatchObject({ workerId: 1, reason: 'SIGTERM' })
    expect(await app.said('worker', { state: 'exited' })).toMatchObject({ pid: victim, code: 0 })
    const states = app
      .of('worker', { workerId: 1 })
      .map(({ pid, state }) => [pid === victim ? 'old' : 'new', state])
    expect(states.findIndex(([who, state]) => who === 'new' && state === 'ready')).toBeLessThan(
      states.findIndex(([who, state]) => who === 'old' && state === 'draining'),
    )
    expect(await get(url)).toMatch(/^\d+$/)
    expect(app.of('respawn')).toEqual([])
  })

  test('a loop that is stuck: report, then kill', async ({ expect }) => {
    const reportDirectory = temporaryFolder()
    const { app, url } = await running({ watchdog: { intervalMs: 200, timeoutMs: 8_000, reportDirectory } })
    fetch(`${url}/block`).catch(() => {})
    const exit = await app.said('worker', { state: 'exited' })
    expect(exit).toMatchObject({
      signal: 'SIGKILL',
      message: expect.stringContaining('was silent for 8000 ms'),
    })
    const [file] = readdirSync(reportDirectory)
    const report = JSON.parse(readFileSync(join(reportDirectory, file!), 'utf8'))
    expect(report.header.processId).toBe(exit.pid)
    expect(report.javascriptStack.stack.join()).toContain('respond')
    expect(report).not.toHaveProperty('environmentVariables')
    await expectReplaced(app, url)
  })

  test('a stopped process (SIGSTOP)', async ({ expect }) => {
    const { app, url } = await running({ watchdog })
    process.kill(app.workerPids()[0]!, 'SIGSTOP')
    expect(await app.said('worker', { state: 'exited' })).toMatchObject({ signal: 'SIGKILL' })
    await expectReplaced(app, url)
  })

  test('a stopped primary is no silence of its workers', async ({ expect }) => {
    const { app, url } = await running({ watchdog })
    await app.said('heartbeat')
    process.kill(app.pid, 'SIGSTOP')
    const stoppedAt = performance.now()
    await new Promise((resolve) => setTimeout(resolve, 1.5 * watchdog.timeoutMs))
    const heard = app.of('heartbeat').length
    process.kill(app.pid, 'SIGCONT')
    expect(performance.now() - stoppedAt).toBeGreaterThan(watchdog.timeoutMs)
    await app.said('heartbeat', {}, heard + 20)
    expect(app.of('worker', { state: 'exited' })).toEqual([])
    expect(await get(url)).toMatch(/^\d+$/)
  })

  test('too many times: its place stays empty for a while, readiness says so', async ({ expect }) => {
    const adminPort = await freePort()
    const { app } = await running({
      admin: { port: adminPort },
      respawn: { baseMs: 10 },
      breaker: { exits: 3, openMs: 1_500 },
    })
    for (let crash = 1; crash <= 3; crash++) {
      await app.said('worker', { workerId: 1, state: 'ready' }, crash)
      process.kill(app.of('started', { workerId: 1 }).at(-1)!.pid as number, 'SIGKILL')
    }
    await app.said('breaker', { workerId: 1, state: 'open' })
    expect(await app.said('respawn', {}, 3)).toMatchObject({ failures: 3, delayMs: 1_500 })
    const readyz = await fetch(`http://127.0.0.1:${adminPort}/readyz`)
    expect(readyz.status).toBe(200)
    expect(await readyz.json()).toMatchObject({ status: 'degraded', reasons: ['workers', 'breaker'] })
    await app.said('breaker', { workerId: 1, state: 'closed' })
  })
})

describe.concurrent('the primary is killed', () => {
  test('workers answer what they have, and end with a status that is not 0', async ({ expect }) => {
    const { app, url } = await running()
    const slow = get(`${url}/slow?ms=500`)
    await app.said('request', { path: '/slow' })
    process.kill(app.pid, 'SIGKILL')
    expect(app.workerPids()).toContain(Number(await slow))
    await app.until(() => app.of('exit', { code: 1 }).length === 2, 'status 1 of both workers')
    expect(app.of('resource-stopped')).toHaveLength(2)
    await expectNoOrphan(app)
  })

  test('a worker that is stuck in a loop ends as well', async ({ expect }) => {
    const { app, url } = await running({ drain: { timeoutMs: 500 } })
    fetch(`${url}/block`).catch(() => {})
    await app.said('request', { path: '/block' })
    process.kill(app.pid, 'SIGKILL')
    await expectNoOrphan(app)
    expect(app.of('resource-stopped')).toHaveLength(1)
  })
})

async function running(
  options: object = {},
  nodeArgs: string[] = [],
): Promise<{ app: AppProcess; url: string }> {
  const port = await freePort()
  const app = await startApp(
    { port, options: { workers: 2, respawn: { baseMs: 50 }, ...options } },
    { nodeArgs },
  )
  await app.said('running', { role: 'primary' })
  return { app, url: `http://127.0.0.1:${port}` }
}

/** The empty place is filled within the backoff, once, and everybody is served. */
async function expectReplaced(app: AppProcess, url: string): Promise<void> {
  expect(await get(url)).toMatch(/^\d+$/)
  await app.said('worker', { state: 'ready' }, 3)
  expectNoForkStorm(app, 3, 0)
  const [exit] = app.of('worker', { state: 'exited' })
  expect(app.of('respawn')).toEqual([expect.objectContaining({ workerId: exit!.workerId, during: 'run' })])
}

function expectNoForkStorm(app: AppProcess, starts: number, tolerance: number): void {
  const booted = app.of('worker', { state: 'booting' }).length
  expect(booted).toBeGreaterThanOrEqual(starts)
  expect(booted).toBeLessThanOrEqual(starts + tolerance)
}

async function expectNoOrphan(app: AppProcess): Promise<void> {
  const pids = app.of('boot').map(({ pid }) => pid as number)
  await app.until(() => pids.every((pid) => !isAlive(pid)), 'end of all workers')
}

async function get(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' } })
  return response.text()
}

function buildFile(build: object): string {
  const file = join(temporaryFolder(), 'build.json')
  writeFileSync(file, JSON.stringify(build))
  return file
}
