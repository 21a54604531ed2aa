import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type AppProcess, freePort, startApp, temporaryFolder } from './app-process.js'
import { Load, type LoadResult } from './load.js'

const clients = { get: 4, 'slow-body': 2, 'large-answer': 1, numbered: 3 }

// Alone: a client that stands still for longer than an idle connection lives is no fault of the server.
describe('under load', { timeout: 90_000 }, () => {
  test('rolling reloads, and then a stop behind a balancer that reads /readyz, lose nothing', async () => {
    const { app, url, adminUrl, build } = await running({
      drain: { delayMs: 500, lingerMs: 500, spreadMs: 200 },
    })
    let isReady = true
    const load = new Load(url, { mayConnect: () => isReady }).start(clients)
    for (let version = 2; version <= 4; version++) {
      build({ version: String(version) })
      process.kill(app.pid, 'SIGHUP')
      await app.said('reload', { state: 'done', replaced: 2 }, version - 1)
    }
    process.kill(app.pid, 'SIGTERM')
    await app.until(() => app.of('stopping').length === 1, 'stop')
    isReady = (await fetch(`${adminUrl}/readyz`)).ok
    expect(isReady).toBe(false)
    const result = await load.stop()
    expect(await app.exited).toEqual({ code: 0, signal: null })
    expectNothingLost(result)
    expect([...result.versions.keys()]).toEqual(expect.arrayContaining(['1', '2', '3', '4']))
  })

  test.for([{ boot: 'throw' }, { boot: 'hang' }, { diesAfterMs: 150 }])(
    'a reload to a build that fails (%o) keeps the old one and loses nothing',
    async (broken) => {
      const { app, url, build } = await running({ bootTimeoutMs: 5_000, reload: { canaryMs: 600 } })
      const before = app.workerPids()
      const load = new Load(url).start(clients)
      build({ version: '2', ...broken })
      process.kill(app.pid, 'SIGUSR2')
      expect(await app.said('reload-rejected')).toMatchObject({
        code: 'ERR_SCALE_RELOAD_FAILED',
        replaced: 0,
        kept: 2,
      })
      const result = await load.stop()
      // A build that dies as a canary takes what it was just answering with it; the old workers lose nothing.
      if (!('diesAfterMs' in broken)) expectNothingLost(result)
      expect(app.of('worker', { state: 'draining' }).map(({ pid }) => pid)).not.toEqual(
        expect.arrayContaining([expect.toBeOneOf(before)]),
      )
      build({ version: '3' })
      process.kill(app.pid, 'SIGUSR2')
      expect(await app.said('reload-resolved')).toMatchObject({ replaced: 2 })
    },
  )
})

test.concurrent('reloads that are asked for while one runs share the next', async () => {
  const { app } = await running({ reload: { canaryMs: 300 } })
  for (let order = 0; order < 4; order++) {
    process.kill(app.pid, 'SIGHUP')
    await app.said('reload', { state: 'started' })
  }
  await app.said('reload', { state: 'done' }, 2)
  process.kill(app.pid, 'SIGTERM')
  expect((await app.exited).code).toBe(0)
  expect(app.of('reload', { state: 'started' })).toHaveLength(2)
})

test.concurrent('four workers that each hold a stream drain side by side', async () => {
  const { app, url } = await running({ workers: 4 })
  const before = app.workerPids()
  const clients = new AbortController()
  const ended: string[] = []
  for (let stream = 0; stream < 4; stream++) {
    const { body } = await fetch(`${url}/events`, { signal: clients.signal })
    new Response(body).text().then(
      () => ended.push('by the server'),
      () => ended.push('by the client'),
    )
  }
  await app.said('request', { path: '/events' }, 4)
  process.kill(app.pid, 'SIGHUP')
  for (const pid of before) await app.said('worker', { pid, state: 'draining' })
  // Not one of them had to end before the next began, nor was a stream cut for it.
  expect(app.of('worker', { state: 'exited' })).toEqual([])
  expect(ended).toEqual([])
  clients.abort()
  await app.said('reload', { state: 'done', replaced: 4 })
  expect(ended).toEqual(Array(4).fill('by the client'))
})

test.concurrent('SIGTTIN adds a worker, SIGTTOU takes one away, down to one', async () => {
  const { app, url } = await running()
  process.kill(app.pid, 'SIGTTIN')
  await app.said('scaled', { workers: 3 })
  process.kill(app.pid, 'SIGTTIN')
  await app.said('worker', { workerId: 3, state: 'ready' })
  await app.said('worker', { workerId: 4, state: 'ready' })
  for (const left of [3, 2, 1]) {
    process.kill(app.pid, 'SIGTTOU')
    await app.said('scaled', { workers: left })
    await app.said('worker', { workerId: left + 1, state: 'exited', code: 0 })
  }
  process.kill(app.pid, 'SIGTTOU')
  expect((await fetch(url)).status).toBe(200)
  expect(app.of('scaled')).toHaveLength(5)
})

describe('recycling', () => {
  test('by requests: new before old, one at a time, nothing lost', async () => {
    const { app, url } = await running({
      recycle: { maxRequests: 100, minAgeMs: 1 },
      watchdog: { intervalMs: 100, timeoutMs: 60_000 },
    })
    const load = new Load(url).start(clients)
    await app.said('recycle', { reason: 'requests' }, 3)
    await app.said('worker', { state: 'exited', code: 0 }, 2)
    expectNothingLost(await load.stop())
    let bootingOrReady = 0
    let most = 0
    for (const { state } of app.of('worker')) {
      if (state === 'booting') bootingOrReady++
      if (state === 'draining') bootingOrReady--
      most = Math.max(most, bootingOrReady)
    }
    expect(most).toBe(3)
    expect(app.of('respawn')).toEqual([])
  })

  test.for([
    { reason: 'age', limits: { maxAgeMs: 300 } },
    { reason: 'memory', limits: { maxRssBytes: 1_000_000, minAgeMs: 1 } },
  ])('by $reason', async ({ reason, limits }) => {
    const { app } = await running({ recycle: limits, watchdog: { intervalMs: 100, timeoutMs: 60_000 } })
    await app.said('recycle', { reason })
    await app.said('worker', { state: 'exited', code: 0 })
    expect(app.of('worker', { state: 'ready' }).length).toBeGreaterThanOrEqual(3)
  })
})

function expectNothingLost({ sent, answered, refused, lost, numbers }: LoadResult): void {
  expect(lost).toEqual([])
  expect({ answered, refused }).toEqual({ answered: sent, refused: 0 })
  expect(sent).toBeGreaterThan(20)
  for (const list of numbers) expect(list).toEqual(list.map((_, index) => index + 1))
}

async function running(options: object = {}): Promise<{
  app: AppProcess
  url: string
  adminUrl: string
  build: (build: object) => void
}> {
  const buildFile = join(temporaryFolder(), 'build.json')
  const build = (content: object): void => writeFileSync(buildFile, JSON.stringify(content))
  build({ version: '1' })
  const port = await freePort()
  const adminPort = await freePort()
  const app = await startApp({
    port,
    buildFile,
    options: {
      workers: 2,
      bootTimeoutMs: 60_000,
      admin: { port: adminPort },
      reload: { canaryMs: 200 },
      drain: { lingerMs: 500, spreadMs: 200 },
      ...options,
    },
  })
  await app.said('running', { role: 'primary' })
  return { app, url: `http://127.0.0.1:${port}`, adminUrl: `http://127.0.0.1:${adminPort}`, build }
}
