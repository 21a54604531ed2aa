import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, test } from 'vitest'
import { type AppProcess, compile, freePort, launch, temporaryFolder } from './app-process.js'

const fixture = fileURLToPath(new URL('fixtures/ends-itself.cjs', import.meta.url))

/** How many processes of the app: under plain Node, under the command with one worker, and with two. */
const runners = [
  ['node', 1],
  ['one worker', 1],
  ['two workers', 2],
] as const

type Runner = (typeof runners)[number][0]

describe.concurrent.each([
  ['exits', 0],
  ['comes-to-its-end', 0],
  ['closes-late', 0],
  ['exits-with-5', 5],
  ['dies-of-the-signal', 0],
] as const)('an app that %s after SIGTERM', (mode, status) => {
  test.for(runners)('%s', async ([runner, processes], { expect }) => {
    const { app, url } = await started(runner, mode)
    const slow = get(`${url}/slow`)
    await app.said('slow')
    process.kill(app.pid, 'SIGTERM')
    expect(await slow).toMatch(/^\d+$/)
    const ended = await app.ended()
    if (runner === 'node' && mode === 'dies-of-the-signal') expect(ended.signal).toBe('SIGTERM')
    // What two workers say of themselves is one status of the primary: one of them did not end well.
    else expect(ended).toEqual({ code: status && runner === 'two workers' ? 1 : status, signal: null })
    for (const type of ['heard', 'closed', 'flushed']) expect(app.of(type)).toHaveLength(processes)
    expect(new Set(app.of('heard').map(({ pid }) => pid)).size).toBe(processes)
    for (const { error } of app.of('closed')) expect(error).toBeUndefined()
  })
})

describe.concurrent('two workers of an app that ends itself', () => {
  test('a reload lets the old ones do so', async ({ expect }) => {
    const { app } = await started('two workers', 'exits')
    const before = app.of('listening').map(({ pid }) => pid)
    process.kill(app.pid, 'SIGHUP')
    await app.said('flushed', {}, 2)
    expect(app.of('flushed').map(({ pid }) => pid)).toEqual(expect.arrayContaining(before))
    process.kill(app.pid, 'SIGTERM')
    expect(await app.ended()).toEqual({ code: 0, signal: null })
    expect(app.of('flushed')).toHaveLength(4)
  })

  test('SIGINT is SIGINT', async ({ expect }) => {
    const { app } = await started('two workers', 'exits')
    process.kill(app.pid, 'SIGINT')
    expect(await app.ended()).toEqual({ code: 0, signal: null })
    expect(app.of('heard').map(({ signal }) => signal)).toEqual(['SIGINT', 'SIGINT'])
  })

  test.for(['SIGTERM', 'SIGINT'] as const)(
    '%s to the whole group is heard once',
    async (signal, { expect }) => {
      const { app } = await started('two workers', 'exits')
      process.kill(-app.pid, signal)
      expect(await app.ended()).toEqual({ code: 0, signal: null })
      expect(app.of('heard').filter(({ pid }) => pid !== app.pid)).toHaveLength(app.of('listening').length)
    },
  )

  test('SIGTERM to one of them: it ends as it does, another takes its place', async ({ expect }) => {
    const { app, url } = await started('two workers', 'exits')
    const slow = get(`${url}/slow`)
    const { pid } = await app.said('slow')
    process.kill(pid as number, 'SIGTERM')
    expect(Number(await slow)).toBe(pid)
    await app.said('listening', {}, 3)
    await app.said('flushed', { pid })
    process.kill(app.pid, 'SIGTERM')
    expect(await app.ended()).toEqual({ code: 0, signal: null })
    expect(app.other.join('\n')).not.toContain('failure')
  })

  test('one that never ends is ended when time is up, and that is said', async ({ expect }) => {
    const { app } = await started('two workers', 'never-ends', ['--drain-timeout-ms', '1500'])
    process.kill(app.pid, 'SIGTERM')
    expect(await app.ended()).toEqual({ code: 1, signal: null })
    expect(app.of('heard')).toHaveLength(2)
    expect(app.other.join('\n')).toContain("hooks failed: the app's own SIGTERM (timeout)")
  })

  test('listeners of signal-exit are none of the app', async ({ expect }) => {
    const { app } = await started('two workers', 'signal-exit')
    process.kill(app.pid, 'SIGTERM')
    expect(await app.ended()).toEqual({ code: 0, signal: null })
    expect(app.of('cleaned')).toHaveLength(2)
  })
})

describe.concurrent('an app that closes its server', () => {
  test('takes its copy out of /readyz, and the reason is told', async ({ expect }) => {
    const adminPort = await freePort()
    const { app, url } = await started('two workers', 'none', ['--admin-port', String(adminPort)])
    const readyz = (): Promise<Response> => fetch(`http://127.0.0.1:${adminPort}/readyz`)
    await expect.poll(async () => (await readyz()).status).toBe(200)
    expect(await get(`${url}/close`)).toMatch(/^\d+$/)
    expect(await get(`${url}/close`)).toMatch(/^\d+$/)
    await expect.poll(async () => (await readyz()).status, { timeout: 10_000 }).toBe(503)
    expect(await (await readyz()).json()).toMatchObject({
      checks: [{ name: 'listening server', ok: false, error: 'ERR_SERVER_NOT_RUNNING' }],
    })
    expect(app.other.join('\n')).toContain('listening server is down (ERR_SERVER_NOT_RUNNING)')
  })

  test('and has nothing else to do ends, as under node, and is started again', async () => {
    const { app, url } = await started('two workers', 'none')
    await get(`${url}/end`)
    await get(`${url}/end`)
    await get(`${url}/close`)
    await app.said('listening', {}, 3)
  })
})

async function started(
  runner: Runner,
  mode: string,
  flags: string[] = [],
): Promise<{ app: AppProcess; url: string }> {
  const port = await freePort()
  const command = [
    await compile('src/cli/bin'),
    '--workers',
    runner === 'two workers' ? '2' : '1',
    '--control',
    join(temporaryFolder(), 'control.sock'),
    '--canary-ms',
    '100',
    ...flags,
  ]
  const app = launch(process.execPath, [...(runner === 'node' ? [] : command), fixture, mode], {
    env: { PORT: String(port) },
  })
  if (runner === 'node') await app.said('listening')
  else await app.until(() => app.other.some((line) => /ready in/.test(line)), 'ready')
  return { app, url: `http://127.0.0.1:${port}` }
}

async function get(url: string): Promise<string> {
  return (await fetch(url, { headers: { connection: 'close' } })).text()
}
