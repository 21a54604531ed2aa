import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { compile, freePort, isAlive, launch, startApp, temporaryFolder } from './app-process.js'

const packageFolder = fileURLToPath(new URL('..', import.meta.url))

describe('two workers', () => {
  test('share the port, are ready, drain on SIGTERM and end with 0', async () => {
    const port = await freePort()
    const app = await startApp({ port, options: { workers: 2 } })
    const running = await app.said('running', { role: 'primary' })
    expect(running.decision).toMatchObject({ workers: 2, source: 'option' })
    expect(
      app.of('started').map(({ workerId, workers, fromPrepare }) => ({ workerId, workers, fromPrepare })),
    ).toEqual(
      expect.arrayContaining([
        { workerId: 1, workers: 2, fromPrepare: 'yes' },
        { workerId: 2, workers: 2, fromPrepare: 'yes' },
      ]),
    )
    const pids = new Set(await Promise.all(Array.from({ length: 6 }, () => get(`http://127.0.0.1:${port}/`))))
    expect([...pids].map(Number).sort()).toEqual(app.workerPids().sort())

    const slow = get(`http://127.0.0.1:${port}/slow?ms=600`)
    await app.said('request', { path: '/slow' })
    process.kill(app.pid, 'SIGTERM')
    expect(app.workerPids()).toContain(Number(await slow))
    expect(await app.exited).toEqual({ code: 0, signal: null })
    expect(app.of('resource-stopped')).toHaveLength(2)
    expect(app.of('prepared-stopped')).toHaveLength(1)
    expect(app.workerPids().filter(isAlive)).toEqual([])
  })

  test('a killed worker is started again under its number, and the other serves meanwhile', async () => {
    const port = await freePort()
    const app = await startApp({ port, options: { workers: 2, respawn: { baseMs: 50 } } })
    await app.said('running', { role: 'primary' })
    const [victim] = app.of('started', { workerId: 2 })
    process.kill(victim!.pid as number, 'SIGKILL')
    const respawn = await app.said('respawn')
    expect(respawn).toMatchObject({ workerId: 2, during: 'run', failures: 1 })
    expect(respawn.delayMs).toBeLessThanOrEqual(50)
    expect(await get(`http://127.0.0.1:${port}/`)).toMatch(/^\d+$/)
    await app.said('worker', { workerId: 2, state: 'ready' }, 2)
  })

  test('a second signal ends everything now, with 1', async () => {
    const port = await freePort()
    const app = await startApp({ port, options: { workers: 2, drain: { timeoutMs: 60_000 } } })
    await app.said('running', { role: 'primary' })
    const endless = fetch(`http://127.0.0.1:${port}/endless`).then((response) => response.text())
    endless.catch(() => {})
    await app.said('request', { path: '/endless' })
    process.kill(app.pid, 'SIGTERM')
    await app.said('stopping')
    // Within half a second a second signal is taken for an echo of the first.
    await new Promise((resolve) => setTimeout(resolve, 600))
    process.kill(app.pid, 'SIGTERM')
    expect(await app.exited).toEqual({ code: 1, signal: null })
    await expect(endless).rejects.toThrow()
    await app.until(() => app.workerPids().every((pid) => !isAlive(pid)), 'end of the workers')
  })

  test('what does not end in time is cut, named, and makes the status 1', async () => {
    const port = await freePort()
    const app = await startApp({ port, options: { workers: 2, drain: { timeoutMs: 1_500, lingerMs: 100 } } })
    await app.said('running', { role: 'primary' })
    const response = await fetch(`http://127.0.0.1:${port}/endless`)
    process.kill(app.pid, 'SIGTERM')
    await expect(response.text()).rejects.toThrow()
    expect(await app.exited).toEqual({ code: 1, signal: null })
    const forced = app
      .of('drained')
      .flatMap(({ report }) => (report as { connections: { forced: object[] } }).connections.forced)
    expect(forced).toEqual([{ kind: 'request', route: 'GET', ageMs: expect.any(Number) }])
  })

  test('long answers are told to end before the time is over', async () => {
    const port = await freePort()
    const app = await startApp({ port, options: { workers: 2, drain: { timeoutMs: 2_000, lingerMs: 100 } } })
    await app.said('running', { role: 'primary' })
    const response = await fetch(`http://127.0.0.1:${port}/events`)
    process.kill(app.pid, 'SIGTERM')
    expect(await response.text()).toBe('data: hello\n\ndata: bye\n\n')
    expect(await app.exited).toEqual({ code: 0, signal: null })
  })
})

test('one worker is this process, without the cluster module', async () => {
  const port = await freePort()
  const adminPort = await freePort()
  const app = await startApp({ port, options: { workers: 1, admin: { port: adminPort } } })
  const { pid } = await app.said('running', { role: 'single' })
  expect(pid).toBe(app.pid)
  expect(await get(`http://127.0.0.1:${port}/`)).toBe(String(app.pid))
  expect(await probe(adminPort, '/readyz')).toMatchObject({ status: 200, body: { status: 'ok' } })
  process.kill(app.pid, 'SIGINT')
  expect(await app.exited).toEqual({ code: 0, signal: null })
  expect(app.of('prepared-stopped')).toHaveLength(1)
})

test('WEB_CONCURRENCY decides when the code does not', async () => {
  const app = await startApp({}, { env: { WEB_CONCURRENCY: '3' } })
  const decided = await app.said('decided')
  expect(decided.decision).toMatchObject({ workers: 3, source: 'WEB_CONCURRENCY' })
  expect(decided.message).toMatch(/^3 workers \(WEB_CONCURRENCY\), primary pid \d+$/)
})

test('the admin server answers probes through start, service and drain', async () => {
  const port = await freePort()
  const adminPort = await freePort()
  const options = { workers: 2, admin: { port: adminPort }, drain: { delayMs: 700 } }
  const app = await startApp({ port, options })
  await app.said('decided')
  expect(await probe(adminPort, '/livez?verbose')).toMatchObject({ status: 200 })
  await app.said('running', { role: 'primary' })
  expect(await probe(adminPort, '/startupz')).toMatchObject({ status: 200 })
  expect(await probe(adminPort, '/readyz')).toMatchObject({
    status: 200,
    body: { status: 'ok', reasons: [], checks: [{ name: 'resource', ok: true, required: true }] },
  })
  expect(await probe(adminPort, '/elsewhere')).toMatchObject({ status: 404 })

  process.kill(app.pid, 'SIGTERM')
  await app.said('stopping')
  expect(await probe(adminPort, '/readyz')).toMatchObject({
    status: 503,
    connection: 'close',
    body: { status: 'unavailable', reasons: ['draining'] },
  })
  expect(await probe(adminPort, '/livez')).toMatchObject({ status: 200 })
  // Still accepting: the load balancer may not have asked yet.
  expect(await get(`http://127.0.0.1:${port}/`)).toMatch(/^\d+$/)
  expect(await app.exited).toEqual({ code: 0, signal: null })
})

test('runs from TypeScript through tsx, workers included', async () => {
  const port = await freePort()
  const tsx = join(
    createRequire(join(packageFolder, '../../package.json')).resolve('tsx/package.json'),
    '../dist/cli.mjs',
  )
  const app = launch(
    process.execPath,
    [tsx, '--conditions=@scale/source', join(packageFolder, 'test/fixtures/app.ts')],
    { env: { APP: JSON.stringify({ port, options: { workers: 2 } }) } },
  )
  await app.said('running', { role: 'primary' })
  expect(await get(`http://127.0.0.1:${port}/`)).toMatch(/^\d+$/)
  process.kill(app.pid, 'SIGTERM')
  // Not the status of tsx: it gives up on a process that is slow to answer a signal.
  await app.said('exit', { code: 0 }, 3)
  expect(app.of('resource-stopped')).toHaveLength(2)
})

test('a terminal that is closed ends it, although SIGHUP reloads', async () => {
  const port = await freePort()
  const file = await compile('app')
  const log = join(temporaryFolder(), 'log')
  const terminal = launch('script', ['-qefc', `${process.execPath} ${file} 2>${log}`, '/dev/null'], {
    env: { APP: JSON.stringify({ port, options: { workers: 2 } }) },
  })
  const said = (text: string) =>
    expect.poll(() => readFileSync(log, 'utf8'), { timeout: 10_000 }).toContain(text)
  await said('"type":"ready"')
  terminal.child.kill('SIGKILL')
  await said('the terminal was closed: draining')
  await said('"type":"prepared-stopped"')
})

test('a wrong option is a clear error before anything is forked', async () => {
  const app = await startApp({ options: { wrokers: 2 } })
  expect((await app.exited).code).not.toBe(0)
  expect(app.transcript()).toContain('unknown option `wrokers`. Did you mean `workers`?')
})

async function get(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' } })
  return response.text()
}

async function probe(
  port: number,
  path: string,
): Promise<{ status: number; connection: string | null; body: unknown }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  const body: unknown = await response.json()
  return { status: response.status, connection: response.headers.get('connection'), body }
}
