import { describe, expect, it } from 'vitest'
import { startCluster, total } from '../support/cluster.js'
import { ask, samplesIn } from '../support/server.js'

const COUNT = 'http_server_request_duration_seconds_count'
const MISSING = 'scale_metrics_workers_missing'

it('counts the requests of all workers together, at once', async () => {
  const { port, scrape } = await startCluster({ WORKERS: '3' })
  const served = new Set<number>()
  for (let index = 0; index < 30; index++) {
    served.add(JSON.parse((await ask(port, { path: `/users/${index}` })).text).pid)
  }
  expect(served.size).toBe(3)
  const samples = await scrape()
  expect(total(samples, COUNT, 'http_route="/users/:id"')).toBe(30)
  expect(samples.get('scale_metrics_workers')).toBe(3)
  expect(samples.get(MISSING)).toBe(0)
  const cpus = [...samples.keys()].filter((name) => name.startsWith('process_resident_memory_bytes'))
  expect(cpus.map((name) => /worker="(\w+)"/.exec(name)![1]).sort()).toEqual(['1', '2', '3', 'primary'])
})

it('adds up what an app counts with prom-client, and its gauges by their aggregator', async () => {
  const { port, scrape } = await startCluster({ WORKERS: '2' })
  for (let index = 0; index < 12; index++) await ask(port, { path: '/users/1' })
  const samples = await scrape()
  expect(total(samples, 'own_requests_total')).toBe(12)
  // In the primary, where nobody set them, prom-client has 0.
  expect(samples.get('own_smallest')).toBe(5)
  expect(samples.get('own_largest')).toBe(-5)
  // The pipe to the primary speaks JSON, which has no such numbers.
  expect(samples.get('own_unlimited')).toBe(Number.POSITIVE_INFINITY)
  expect(samples.get('own_unknown')).toBeNaN()
  expect(samples.get('nodejs_gc_duration_seconds_count{kind="minor"}') ?? 0).toBeGreaterThanOrEqual(0)
  expect([...samples.keys()].filter((name) => name.startsWith('nodejs_version_info'))).toHaveLength(1)
})

it('two registers of one name: a worker does not start, and a primary says so', async () => {
  const { port, adminPort, pids } = await startCluster({ WORKERS: '1' })
  expect((await ask(port, { path: '/second' })).text).toContain(
    'Two registers of one process are called `default`',
  )
  expect((await ask(adminPort)).status).toBe(200)
  const { text, status } = await ask(adminPort, { path: '/second' })
  expect([status, text]).toEqual([
    500,
    expect.stringContaining('Two registers of one process are called `default`'),
  ])
  expect(pids).toHaveLength(1)
})

it('kill -9 under load: no counter goes down, and at most a push interval of requests is lost', async () => {
  const PUSH_MS = 200
  const { port, pids, scrape } = await startCluster({ WORKERS: '2', PUSH_MS: String(PUSH_MS) })
  const answeredAt: number[] = []
  let isOver = false
  const load = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      // A connection that was on its way to the killed worker is never answered.
      const signal = AbortSignal.timeout(1_000)
      await ask(port, { path: `/users/${answeredAt.length}`, signal }).then(
        () => answeredAt.push(performance.now()),
        // Its worker died of it.
        () => {},
      )
    }
  })
  const killedAt: number[] = []
  const before = new Map<string, number>()
  const fallen: string[] = []
  const watch = async (): Promise<void> => {
    const samples = await scrape()
    for (const [name, value] of samples) {
      if (!/(?:_total|_count|_sum|_bucket)(?:\{|$)/.test(name)) continue
      // Gauges of prom-client, whatever they are called.
      if (name.startsWith('nodejs_active_')) continue
      if (value < (before.get(name) ?? 0)) fallen.push(`${name}: ${before.get(name)} → ${value}`)
      before.set(name, value)
    }
    for (const name of before.keys()) if (!samples.has(name)) fallen.push(`${name} is gone`)
  }
  for (let round = 0; round < 6; round++) {
    const soFar = answeredAt.length
    await expect.poll(() => answeredAt.length, { interval: 5, timeout: 20_000 }).toBeGreaterThan(soFar + 50)
    await watch()
    const alive = pids.length
    killedAt.push(performance.now())
    process.kill(pids.at(-1)!, 'SIGKILL')
    await watch()
    await expect.poll(() => pids.length, { timeout: 20_000 }).toBe(alive + 1)
    await watch()
  }
  isOver = true
  await Promise.all(load)
  await watch()
  expect(fallen).toEqual([])
  const counted = total(await scrape(), COUNT, 'http_route="/users/:id"')
  // What was answered in the interval before each kill may be lost; some slack for a timer that fires late.
  const atRisk = answeredAt.filter((at) =>
    killedAt.some((kill) => at > kill - 2 * PUSH_MS && at < kill + 50),
  ).length
  expect(counted).toBeGreaterThanOrEqual(answeredAt.length - atRisk)
  // A request may be counted whose answer died with the connection.
  expect(counted).toBeLessThanOrEqual(answeredAt.length + 4 * killedAt.length)
})

it('a worker that leaves by itself loses nothing', async () => {
  const { port, pids, scrape } = await startCluster({ WORKERS: '1' })
  for (let index = 0; index < 7; index++) await ask(port, { path: '/users/1' })
  await ask(port, { path: '/leave' })
  await expect.poll(() => pids.length, { timeout: 20_000 }).toBe(2)
  expect(total(await scrape(), COUNT, 'http_route="/users/:id"')).toBe(7)
})

it('a stopped worker: the scrape answers within a second, says that one is missing, and loses nothing', async () => {
  const { port, pids, scrape } = await startCluster({ WORKERS: '2', PUSH_MS: '60000' })
  for (let index = 0; index < 10; index++) await ask(port, { path: '/users/1' })
  expect(total(await scrape(), COUNT)).toBe(10)
  process.kill(pids[0]!, 'SIGSTOP')
  const tookMs: number[] = []
  for (let index = 0; index < 8; index++) {
    const startedAt = performance.now()
    const samples = await scrape()
    tookMs.push(performance.now() - startedAt)
    expect(samples.get(MISSING)).toBe(1)
    expect(total(samples, COUNT)).toBe(10)
  }
  expect(Math.max(...tookMs)).toBeLessThan(1_000)
  // It is waited for once, for a quarter of a second; not again until it is heard.
  expect(Math.min(...tookMs)).toBeLessThan(240)
  process.kill(pids[0]!, 'SIGCONT')
  await expect.poll(async () => (await scrape()).get(MISSING), { timeout: 10_000 }).toBe(0)
})

it('a worker that is asked for metrics says where they are', async () => {
  const { port } = await startCluster({ WORKERS: '1' })
  expect((await ask(port, { path: '/push' })).status).toBe(200)
  expect((await ask(port, { path: '/metrics' })).text).toContain('this is a cluster worker')
})

describe('under PM2', () => {
  it('in its cluster mode each process serves its own: the primary is none of ours', async () => {
    const env = { WORKERS: '1', pm_id: '0', exec_mode: 'cluster_mode' }
    const { port, scrape } = await startCluster(env)
    for (let index = 0; index < 3; index++) await ask(port, { path: '/users/1' })
    expect(total(samplesIn((await ask(port, { path: '/metrics' })).text), COUNT)).toBe(3)
    expect((await scrape()).get('scale_metrics_workers')).toBe(0)
  })

  it('in its fork mode our own primary serves for our workers', async () => {
    const { port, scrape } = await startCluster({ WORKERS: '1', pm_id: '0', exec_mode: 'fork_mode' })
    await ask(port, { path: '/users/1' })
    expect(total(await scrape(), COUNT)).toBe(1)
  })
})
