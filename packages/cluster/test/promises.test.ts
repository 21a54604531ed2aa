import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { RecycleFloor, recycleReason } from '../src/primary/recycle.js'
import { decideWorkers, heapFlags } from '../src/process/decision.js'
import { type AppProcess, freePort, isAlive, startApp, temporaryFolder } from './app-process.js'
import { inTestTime, shippedDefaults } from './time.js'

// What the package promises, at the defaults that it ships, its times and those of the tests shortened by one factor. `pnpm soak` runs
// the same without the factor.

describe.concurrent('before it is ready', () => {
  test('a worker gets no connection, although it listens: another answers, or the client waits', async ({
    expect,
  }) => {
    const { app, url } = await launched({ warmUpMs: inTestTime(15_000) })
    await app.said('warming')
    const answer = await getOnceItListens(url)
    expect(app.of('worker', { state: 'ready' })).not.toEqual([])
    expect(Number(answer)).toBe(app.of('worker', { state: 'ready' })[0]!.pid)
  })

  test('a new build whose required check never passes serves nobody; what it waits for is told', async ({
    expect,
  }) => {
    const { app, url, build } = await launched({ version: '1' })
    await app.said('running', { role: 'primary' })
    build({ version: '2', boot: 'unready' })
    process.kill(app.pid, 'SIGUSR2')
    await app.said('worker', { state: 'listening' }, 3)
    for (let request = 0; request < 30; request++) {
      const response = await fetch(url, { headers: { connection: 'close' } })
      expect(response.headers.get('x-version')).toBe('1')
    }
    expect(await app.said('check')).toMatchObject({
      message: expect.stringContaining('database is down (ECONNREFUSED)'),
      check: { name: 'database', ok: false, required: true, error: 'ECONNREFUSED' },
    })
    expect(await app.said('reload-rejected')).toMatchObject({
      message: expect.stringContaining('database is down (ECONNREFUSED)'),
      kept: 2,
    })
    expect(app.transcript()).not.toContain('secret')
  })

  test('at the first boot /readyz names what it waits for', async ({ expect }) => {
    const adminPort = await freePort()
    const { app } = await launched({ boot: 'unready' }, { admin: { port: adminPort } })
    await app.said('check')
    const ask = (): Promise<Response> => fetch(`http://127.0.0.1:${adminPort}/readyz`)
    expect((await ask()).status).toBe(503)
    // Each worker makes its checks when it has got so far.
    await expect
      .poll(async () => (await ask()).json(), { timeout: 20_000 })
      .toMatchObject({
        reasons: expect.arrayContaining(['starting']),
        checks: [
          { name: 'resource', ok: true },
          { name: 'database', ok: false, error: 'ECONNREFUSED' },
        ],
      })
  })
})

describe.concurrent('a build that cannot start ends, with what it says', () => {
  test.for([
    ['hangs', { boot: 'hang' }, 75],
    ['fails after 30 s, as drivers do', { boot: 'throw', failsAfterMs: inTestTime(30_000) }, 70],
    ['fails at once', { boot: 'throw' }, 70],
  ] as const)('one that %s', async ([, content, status], { expect }) => {
    const startedAt = performance.now()
    const { app } = await launched(content)
    expect(await app.exited).toEqual({ code: status, signal: null })
    // Three attempts of each worker, whatever time each took, and the waits in between.
    expect(app.of('boot').length).toBeLessThanOrEqual(2 * 5)
    expect(app.of('boot').length).toBeGreaterThanOrEqual(2 * 3)
    expect(performance.now() - startedAt).toBeLessThan(inTestTime(5 * 60_000) + 15_000)
  })
})

test.concurrent('server-sent events as the README shows them end whole, and a reload of four workers takes one drain', async () => {
  const { app, url } = await launched({}, { workers: 4 })
  await app.said('running', { role: 'primary' })
  const spreadMs = inTestTime(10_000)
  const streams = Array.from({ length: 12 }, async () => {
    const response = await fetch(`${url}/readme-events?ms=${spreadMs}`)
    return response.text()
  })
  await app.said('request', { path: '/readme-events' }, streams.length)
  process.kill(app.pid, 'SIGHUP')
  const { tookMs } = await app.said('reload', { state: 'done', replaced: 4 })
  expect(await Promise.all(streams)).toEqual(streams.map(() => 'data: hello\n\nretry: 1000\n\n'))
  // One canary, one drain; what four workers need to boot comes on top.
  expect(tookMs).toBeLessThan(inTestTime(5_000 + 25_000) + 15_000)
})

test.concurrent('a dependency that goes down and comes back is told: which, why, and what became of /readyz', async () => {
  const needs = join(temporaryFolder(), 'database')
  writeFileSync(needs, '')
  const { app, url } = await launched({ needs })
  await app.said('readiness', { ready: true })
  rmSync(needs)
  await app.said('check', { message: 'worker 1: database is down (ECONNREFUSED)' })
  await app.said('check', { message: 'worker 2: database is down (ECONNREFUSED)' })
  expect(await app.said('readiness', { ready: false })).toMatchObject({
    reasons: ['dependencies'],
    message: 'this copy is not ready: dependencies: database (ECONNREFUSED)',
  })
  // There is no better worker: it serves on.
  await get(url)
  writeFileSync(needs, '')
  expect(await app.said('readiness', { ready: true }, 2)).toMatchObject({ message: 'this copy is ready' })
  await app.said('check', { message: 'worker 1: database is up again' })
})

test.concurrent('a memory limit below what a worker needs replaces none before its time, and that is told', async () => {
  const { app } = await launched({}, { recycle: { maxRssBytes: 1_000_000 } })
  const started = await app.said('worker', { state: 'ready' })
  const readyAt = performance.now()
  await app.said('recycle', { reason: 'memory', workerId: started.workerId })
  // It has been there for as long as it booted when this is read.
  expect(performance.now() - readyAt).toBeGreaterThan(inTestTime(60_000) - 5_000)
  expect(await app.said('warning', { workerId: started.workerId })).toMatchObject({
    message: expect.stringContaining('reached its limit of memory early'),
  })
})

describe.concurrent('SIGTERM at each point of a start ends it soon, with 0', () => {
  test.for([
    ['importing', { importMs: 60_000 }],
    ['boot', { boot: 'hang' }],
    ['warming', { warmUpMs: 60_000 }],
    ['check', { boot: 'unready' }],
  ] as const)('%s', async ([point, content], { expect }) => {
    const { app } = await launched(content)
    await app.said(point, {}, 2)
    const orderedAt = performance.now()
    process.kill(app.pid, 'SIGTERM')
    expect(await app.exited).toEqual({ code: 0, signal: null })
    expect(performance.now() - orderedAt).toBeLessThan(10_000)
  })

  test('one process alone that warms up after `listen`: what it was asked is answered', async ({
    expect,
  }) => {
    const { app, url } = await launched({ warmUpMs: 60_000 }, { workers: 1 })
    await app.said('warming')
    const slow = getOnceItListens(`${url}/slow?ms=700`)
    await app.said('request', { path: '/slow' })
    process.kill(app.pid, 'SIGTERM')
    expect(Number(await slow)).toBe(app.pid)
    expect(await app.exited).toEqual({ code: 0, signal: null })
  })
})

test.concurrent.for([1, 2])(
  '%i: an uncaught error during a drain is no clean end, and the hooks run once',
  async (workers) => {
    const { app, url } = await launched({}, { workers })
    await app.said('running', { role: workers === 1 ? 'single' : 'primary' })
    const slow = get(`${url}/throw-later?ms=${inTestTime(5_000)}`)
    await app.said('request', { path: '/throw-later' })
    process.kill(app.pid, 'SIGTERM')
    await slow.catch(() => {})
    expect((await app.exited).code).toBe(workers === 1 ? 70 : 1)
    expect(app.of('resource-stopped')).toHaveLength(workers)
    expect(app.of('prepared-stopped')).toHaveLength(1)
  },
)

test.concurrent('an agent in NODE_OPTIONS is not loaded into the thread of the watchdog: the report is written', async () => {
  const folder = temporaryFolder()
  const agent = join(folder, 'agent.cjs')
  writeFileSync(
    agent,
    `if (!require('node:worker_threads').isMainThread) process._rawDebug('agent in a thread')`,
  )
  const { app, url } = await launched(
    {},
    { watchdog: { reportDirectory: folder } },
    { NODE_OPTIONS: `--require=${agent}` },
  )
  await app.said('running', { role: 'primary' })
  fetch(`${url}/block`).catch(() => {})
  await app.said('worker', { state: 'exited' })
  expect(app.transcript()).not.toContain('agent in a thread')
  expect(app.transcript()).toContain('diagnostic report')
})

describe.concurrent('a thread of the watchdog that something ends', () => {
  /** As an agent that instruments threads: the first ones of each process do not survive it. */
  async function killsThreads(count: number): Promise<Awaited<ReturnType<typeof launched>>> {
    const folder = temporaryFolder()
    const agent = join(folder, 'agent.cjs')
    writeFileSync(
      agent,
      `const threads = require('node:worker_threads')
      let left = ${count}
      threads.Worker = class extends threads.Worker {
        constructor(...args) {
          super(...args)
          if (left-- > 0) this.once('online', () => this.terminate())
        }
      }
      require('node:module').syncBuiltinESMExports()`,
    )
    return launched({}, { watchdog: { reportDirectory: folder } }, { NODE_OPTIONS: `--require=${agent}` })
  }

  test('is told of and started again', async ({ expect }) => {
    const { app, url } = await killsThreads(1)
    await app.said('warning', {}, 2)
    expect(app.of('warning')[0]!.message).toContain('the thread of the watchdog ended and is started again')
    // A heartbeat later the new one has begun.
    await app.said('heartbeat', {}, app.of('heartbeat').length + 8)
    const blocked = fetch(`${url}/block`).then(
      () => 'answered',
      () => 'cut off',
    )
    await app.said('worker', { state: 'exited' })
    expect(await blocked).toBe('cut off')
    expect(app.transcript()).toContain('diagnostic report')
  })

  test('again and again: a stuck worker whose primary dies is ended all the same', async ({ expect }) => {
    const { app, url } = await killsThreads(Number.POSITIVE_INFINITY)
    await app.until(
      () => app.of('warning').filter(({ message }) => String(message).includes('stays off')).length === 2,
      'thread that stays off in each worker',
    )
    const blocked = fetch(`${url}/block`).then(
      () => 'answered',
      () => 'cut off',
    )
    const { pid } = await app.said('request', { path: '/block' })
    process.kill(app.pid, 'SIGKILL')
    await expect.poll(() => isAlive(pid as number), { timeout: inTestTime(60_000) + 20_000 }).toBe(false)
    expect(await blocked).toBe('cut off')
  })
})

test.concurrent('a worker that cannot be started is one more failure: it is tried again', async () => {
  const folder = temporaryFolder()
  const { app } = await launched({}, {}, { BREAK_SPAWN: folder })
  await app.said('running', { role: 'primary' })
  writeFileSync(join(folder, 'broken'), '')
  process.kill(app.workerPids()[0]!, 'SIGKILL')
  expect(await app.said('worker', { state: 'exited' }, 2)).toMatchObject({
    message: expect.stringContaining('could not be started (ENOENT)'),
  })
  writeFileSync(join(folder, 'mended'), '')
  await app.said('worker', { state: 'ready' }, 3)
})

describe.concurrent('one worker', () => {
  test('is recycled and watched by a primary, if that is asked for', async ({ expect }) => {
    const { app } = await launched({}, { workers: 1, recycle: { maxAgeMs: inTestTime(20_000) } })
    expect(await app.said('recycle')).toMatchObject({ reason: 'age' })
  })

  test('alone says which options mean nothing to it', async ({ expect }) => {
    const { app } = await launched({}, { workers: 1, breaker: { exits: 3 }, reload: {} })
    expect(await app.said('warning')).toMatchObject({ message: 'one process alone has no use for `breaker`' })
  })
})

test.concurrent('readiness is told when it changes', async () => {
  const { app } = await launched({})
  expect(await app.said('readiness')).toMatchObject({ ready: true, message: 'this copy is ready' })
  process.kill(app.pid, 'SIGTERM')
  expect(await app.said('readiness', { ready: false })).toMatchObject({ reasons: ['draining'] })
})

test.concurrent('the connections of one address go to one worker, if they are sticky', async () => {
  const { app, url } = await launched({}, { sticky: true })
  await app.said('running', { role: 'primary' })
  const pids = new Set<string>()
  for (let request = 0; request < 10; request++) pids.add(await get(url))
  expect(pids.size).toBe(1)
})

describe('resources', () => {
  const MIB = 2 ** 20
  test.for([
    [{ cpus: 8, cpuQuota: undefined, memoryBytes: 1_024 * MIB }, 4, 'memory'],
    [{ cpus: 8, cpuQuota: 2, memoryBytes: 1_024 * MIB }, 2, 'quota'],
    [{ cpus: 2, cpuQuota: undefined, memoryBytes: 1_024 * MIB }, 2, 'cpus'],
    [{ cpus: 8, cpuQuota: undefined, memoryBytes: 100 * MIB }, 1, 'memory'],
  ] as const)('%o: %i workers by %s', ([resources, workers, source]) => {
    expect(decideWorkers({ resources, env: {} })).toMatchObject({ workers, source })
  })

  test('the heap of a worker stays within its share; a size that somebody has set is left alone', () => {
    const resources = { cpus: 3, cpuQuota: undefined, memoryBytes: 1_024 * MIB }
    const decision = decideWorkers({ resources, env: {} })
    expect(heapFlags(decision, [])).toEqual(['--max-old-space-size=192'])
    expect(heapFlags(decision, ['--max_old_space_size=100'])).toEqual([])
    expect(heapFlags(decision, ['--enable-source-maps --max-heap-size=100'])).toEqual([])
    expect(heapFlags({ ...decision, resources: { ...resources, memoryBytes: undefined } }, [])).toEqual([])
  })
})

test('a limit below what a worker needs replaces it more and more rarely', () => {
  const floor = new RecycleFloor(60_000)
  const heartbeat = { rssBytes: 2, requests: 0 } as Parameters<typeof recycleReason>[1]
  const waits = Array.from({ length: 5 }, () => {
    const { ageMs } = floor
    expect(recycleReason({ maxRssBytes: 1 }, heartbeat, ageMs - 1, ageMs)).toBeUndefined()
    expect(recycleReason({ maxRssBytes: 1 }, heartbeat, ageMs, ageMs)).toBe('memory')
    floor.recycledAt(ageMs)
    return ageMs / 60_000
  })
  expect(waits).toEqual([1, 2, 4, 8, 8])
  expect(floor.recycledAt(2 * floor.ageMs)).toBe(false)
  expect(floor.ageMs).toBe(60_000)
})

async function launched(
  content: object,
  options: object = {},
  env: Record<string, string> = {},
): Promise<{ app: AppProcess; url: string; build: (content: object) => void }> {
  const buildFile = join(temporaryFolder(), 'build.json')
  const build = (next: object): void => writeFileSync(buildFile, JSON.stringify(next))
  build(content)
  const port = await freePort()
  const app = await startApp(
    { port, buildFile, options: shippedDefaults({ workers: 2, ...options }) },
    { env },
  )
  return { app, url: `http://127.0.0.1:${port}`, build }
}

async function get(url: string): Promise<string> {
  return (await fetch(url, { headers: { connection: 'close' } })).text()
}

/** It says that it warms up as it begins to listen: the first connection may come a moment too early. */
async function getOnceItListens(url: string): Promise<string> {
  for (;;) {
    try {
      return await get(url)
    } catch (error) {
      if (!String((error as Error).cause ?? error).includes('ECONNREFUSED')) throw error
    }
  }
}
