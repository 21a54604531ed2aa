import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { unpackDebianPackages } from '@scale/devkit/debian'
import { afterAll, describe, expect, test } from 'vitest'
import { clusterDrainDefaults } from '../src/options.js'
import { compile, freePort, isAlive, launch, startApp, temporaryFolder } from './app-process.js'

// What docs/guides says is done as it says.

const run = promisify(execFile)
const guide = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../docs/guides/${name}.md`, import.meta.url)), 'utf8')
const cleanUp: (() => Promise<unknown>)[] = []

afterAll(async () => {
  for (const step of cleanUp) await step()
}, 60_000)

describe('PM2', () => {
  const bin = fileURLToPath(new URL('../node_modules/pm2/bin/pm2', import.meta.url))

  async function manager() {
    const home = temporaryFolder()
    const { NODE_ENV: _, ...env } = process.env
    const pm2 = async (args: string[], more: Record<string, string> = {}): Promise<string> =>
      (await run(process.execPath, [bin, ...args], { env: { ...env, ...more, PM2_HOME: home }, cwd: home }))
        .stdout
    cleanUp.push(() => pm2(['kill']))
    return { home, pm2 }
  }

  test('fork mode: start, reload by signal, stop', async () => {
    const { home, pm2 } = await manager()
    const port = await freePort()
    const [, ecosystem] = /```js\n(.*?)```/s.exec(guide('pm2'))!
    const log = join(home, 'app.log')
    const script = JSON.stringify(await compile('app'))
    writeFileSync(
      join(home, 'ecosystem.config.cjs'),
      ecosystem!.replace(
        "'dist/server.js',",
        `${script}, error_file: ${JSON.stringify(log)}, merge_logs: true,`,
      ),
    )
    const APP = JSON.stringify({ port, options: { workers: 2, reload: { canaryMs: 100 } } })
    await pm2(['start', 'ecosystem.config.cjs'], { APP })
    const said = async (pattern: RegExp): Promise<void> => {
      await expect.poll(() => readFileSync(log, 'utf8'), { timeout: 15_000 }).toMatch(pattern)
    }
    await said(/"type":"ready"/)
    const before = await (await fetch(`http://127.0.0.1:${port}`)).text()
    await pm2(['sendSignal', 'SIGHUP', 'app'])
    await said(/"type":"reload".*"state":"done"/)
    expect(isAlive(Number(before))).toBe(false)
    await pm2(['stop', 'app'])
    await said(/"type":"prepared-stopped"/)
    expect(readFileSync(log, 'utf8').match(/"type":"drained","level":"info"/g)).toHaveLength(4)
  })

  test('cluster mode: one process each, PM2 waits for ready, its reload loses nothing that is in flight', async () => {
    const { home, pm2 } = await manager()
    const port = await freePort()
    const log = join(home, 'app.log')
    await pm2(
      [
        'start',
        await compile('app'),
        '-i',
        '2',
        '--wait-ready',
        '--kill-timeout',
        '30000',
        '-e',
        log,
        '--merge-logs',
        '--name',
        'app',
      ],
      { WEB_CONCURRENCY: '1', APP: JSON.stringify({ port }) },
    )
    expect(readFileSync(log, 'utf8').match(/"role":"single"/g)).toHaveLength(2)
    const slow = fetch(`http://127.0.0.1:${port}/slow?ms=1500`, { headers: { connection: 'close' } })
    await pm2(['reload', 'app'])
    expect(await (await slow).text()).toMatch(/^\d+$/)
  })
})

test('systemd: the real systemd-notify reaches a real datagram socket', async () => {
  const { program, env } = await unpackDebianPackages(['systemd', 'socat'])
  const folder = temporaryFolder()
  const socket = join(folder, 'notify')
  const receiver = launch(program('socat')!, ['-u', `UNIX-RECV:${socket}`, 'STDOUT'], { env })
  const path = `${join(program('systemd-notify')!, '..')}:${process.env.PATH}`
  const app = await startApp(
    { options: { workers: 2 } },
    { env: { ...env, PATH: path, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000000' } },
  )
  let received = ''
  receiver.child.stdout!.on('data', (datagram) => {
    received += datagram
  })
  const says = (text: string): Promise<void> => receiver.until(() => received.includes(text), text)
  await says('READY=1\nSTATUS=2 workers ready')
  await says('WATCHDOG=1')
  process.kill(app.pid, 'SIGTERM')
  await says('STOPPING=1\nSTATUS=SIGTERM: draining')
  expect((await app.exited).code).toBe(0)
})

test('Docker: the health check follows /readyz', async () => {
  const [, command] = /HEALTHCHECK[^[]*CMD (\[.*\])/s.exec(guide('docker').split('\nCMD')[0]!)!
  const adminPort = await freePort()
  const [, ...args] = JSON.parse(command!.replace('9464', String(adminPort))) as string[]
  const app = await startApp({
    options: { workers: 1, admin: { port: adminPort }, drain: { delayMs: 3_000 } },
  })
  await app.said('running')
  await run(process.execPath, args)
  process.kill(app.pid, 'SIGTERM')
  await app.said('stopping')
  await expect(run(process.execPath, args)).rejects.toMatchObject({ code: 1 })
})

test('Kubernetes: probes, delay and grace fit one another', () => {
  const text = guide('kubernetes')
  const [, period, threshold] = /readinessProbe:.*?periodSeconds: (\d+)\s+failureThreshold: (\d+)/s.exec(
    text,
  )!
  const [, grace] = /terminationGracePeriodSeconds: (\d+)/.exec(text)!
  const preStopSeconds = 5
  expect(Number(period) * Number(threshold)).toBeLessThan(5)
  expect(Number(grace)).toBeGreaterThan(clusterDrainDefaults.timeoutMs / 1_000 + preStopSeconds)
  for (const probe of ['startup', 'readiness', 'liveness']) expect(text).toContain(`${probe}Probe`)
})

test.for(['nginx', 'haproxy'])('%s: what the guide says is what the test of the proxy runs', (name) => {
  const tested = readFileSync(fileURLToPath(new URL('proxies.test.ts', import.meta.url)), 'utf8')
  const [, config] = new RegExp(`\`\`\`${name}\n(.*?)\`\`\``, 's').exec(guide(name))!
  const directives = config!
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(keepalive|proxy_|mode|timeout|http-reuse|retries|option)/.test(line))
  expect(directives.length).toBeGreaterThanOrEqual(5)
  for (const directive of directives) expect(tested).toContain(directive)
})
