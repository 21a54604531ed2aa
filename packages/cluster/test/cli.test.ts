import { execFile } from 'node:child_process'
import { chmodSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { type AppProcess, compile, freePort, launch, temporaryFolder } from './app-process.js'

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url))
const run = promisify(execFile)

describe.concurrent.each(['unchanged-cjs.cjs', 'unchanged-esm.mjs'])('scale-cluster %s', (file) => {
  test('runs it in workers, with its own arguments, and commands reach it', async ({ expect }) => {
    const control = join(temporaryFolder(), 'control.sock')
    const { app, port } = await start([
      '--workers',
      '2',
      '--control',
      control,
      '--canary-ms',
      '100',
      join(fixtures, file),
      '--own',
      'x',
    ])
    await says(app, 'workers ready')
    const answer = (await (await fetch(`http://127.0.0.1:${port}`)).json()) as { pid: number }
    expect(answer).toMatchObject({ args: ['--own', 'x'] })
    expect(answer.pid).not.toBe(app.pid)
    expect(statSync(control).mode & 0o777).toBe(0o600)

    const before = await workersOf(control)
    await command('--control', control, 'reload')
    const after = await workersOf(control)
    expect(after.map(({ state }) => state)).toEqual(['ready', 'ready'])
    for (const { pid } of after) expect(before.map((worker) => worker.pid)).not.toContain(pid)
    await command('--control', control, 'scale', '3')
    await expect
      .poll(async () => (await workersOf(control)).filter(({ state }) => state === 'ready').length)
      .toBe(3)
    await command('--control', control, 'stop')
    expect(await app.exited).toEqual({ code: 0, signal: null })
  })

  test('one worker: in this process', async ({ expect }) => {
    const { app, port } = await start(['--workers', '1', join(fixtures, file)])
    await says(app, 'ready in')
    expect(await (await fetch(`http://127.0.0.1:${port}`)).json()).toEqual({ pid: app.pid, args: [] })
    process.kill(app.pid, 'SIGTERM')
    expect(await app.exited).toEqual({ code: 0, signal: null })
  })
})

test('a reload to a broken build keeps the old one, says why, and has status 1', async () => {
  const folder = temporaryFolder()
  const file = join(folder, 'app.cjs')
  const control = join(folder, 'control.sock')
  writeFileSync(file, `require('node:http').createServer((q, r) => r.end('1')).listen(+process.env.PORT)`)
  const { app, port } = await start(['--workers', '2', '--control', control, '--canary-ms', '100', file])
  await says(app, 'workers ready')
  writeFileSync(file, `throw new Error('broken')`)
  await expect(command('--control', control, 'reload')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^scale-cluster: reload failed: worker 1 exited with status 70 .*; 0 replaced, 2 kept\./,
    ),
  })
  expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('1')
})

test('what is typed wrong is said in one line, with status 1', async () => {
  for (const [args, message] of [
    [['--wrokers', '2', 'x.js'], /Unknown option '--wrokers'/],
    [['--workers', 'many', 'x.js'], /`workers` must be an integer from 1 to 1024 or one of 'auto'/],
    [['reload', 'not-running.js'], /nobody listens on/],
  ] as const) {
    await expect(command(...args)).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(message) })
  }
  expect((await command('--help')).stdout).toContain('scale-cluster reload <file>')
})

test('systemd is told of ready, reload and stop, and its watchdog is fed', async () => {
  const folder = temporaryFolder()
  const log = join(folder, 'notified')
  const command = join(folder, 'systemd-notify')
  writeFileSync(log, '')
  writeFileSync(command, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${log}\n`)
  chmodSync(command, 0o755)
  const { app } = await start(['--workers', '2', '--canary-ms', '100', join(fixtures, 'unchanged-cjs.cjs')], {
    PATH: `${folder}:${process.env.PATH}`,
    NOTIFY_SOCKET: '/run/notify',
    WATCHDOG_USEC: '400000',
  })
  const notified = async (pattern: RegExp): Promise<void> => {
    await expect.poll(async () => (await run('cat', [log])).stdout, { timeout: 10_000 }).toMatch(pattern)
  }
  await notified(/^\/run\/notify READY=1 STATUS=2 workers ready in \d+ ms$/m)
  await notified(/^\/run\/notify WATCHDOG=1$/m)
  process.kill(app.pid, 'SIGHUP')
  await notified(
    /RELOADING=1 MONOTONIC_USEC=\d+ STATUS=reload of 2 workers\n(.*\n)*.*READY=1 STATUS=reload done/,
  )
  process.kill(app.pid, 'SIGTERM')
  await notified(/STOPPING=1 STATUS=SIGTERM: draining/)
  expect((await app.exited).code).toBe(0)
})

async function start(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ app: AppProcess; port: number }> {
  const port = await freePort()
  const app = launch(process.execPath, [await compile('src/cli/bin'), ...args], {
    env: { ...env, PORT: String(port) },
  })
  return { app, port }
}

async function says(app: AppProcess, text: string): Promise<void> {
  await app.until(() => app.other.some((line) => line.includes(text)), text)
}

async function command(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, [await compile('src/cli/bin'), ...args])
}

async function workersOf(control: string): Promise<{ pid: number; state: string }[]> {
  return JSON.parse((await command('--control', control, 'status')).stdout).workers
}
