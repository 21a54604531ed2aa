import { readFileSync } from 'node:fs'
import { nodeBinary } from '@scale/devkit/npm-package'
import { expect, test } from 'vitest'
import { type AppProcess, freePort, startApp } from './app-process.js'
import { Load } from './load.js'
import { shippedDefaults } from './time.js'

const nodes: Record<string, string> = { 'this Node': process.execPath, ...(await binaries(22, 24, 26)) }

async function binaries(...majors: number[]): Promise<Record<string, string>> {
  return Object.fromEntries(
    await Promise.all(majors.map(async (major) => [`Node ${major}`, await nodeBinary(major)])),
  )
}

test.for(Object.entries(nodes))(
  '%s is as expected: a reload loses nothing, a stop ends with 0',
  async ([, node]) => {
    const { app, load } = await loaded(node)
    process.kill(app.pid, 'SIGHUP')
    await app.said('reload', { state: 'done', replaced: 2 })
    const { lost, sent, answered } = await load.stop()
    expect(lost).toEqual([])
    expect(answered).toBe(sent)
    process.kill(app.pid, 'SIGTERM')
    expect(await app.exited).toEqual({ code: 0, signal: null })
    expect(app.of('warning')).toEqual([])
  },
)

test.for(['Node 24', 'Node 26'] as const)(
  'reusePort on %s: each worker listens, and both serve',
  async (name) => {
    const { app, load, port } = await loaded(nodes[name]!, { reusePort: true })
    expect(listening(port)).toBe(2)
    const pids = new Set<string>()
    for (let request = 0; pids.size < 2 && request < 200; request++) {
      pids.add(
        await (await fetch(`http://127.0.0.1:${port}/pid`, { headers: { connection: 'close' } })).text(),
      )
    }
    expect(pids.size).toBe(2)
    process.kill(app.pid, 'SIGHUP')
    await app.said('reload', { state: 'done', replaced: 2 })
    const { sent, reasons } = await load.stop()
    // What arrives in the moment in which a socket closes is reset, and nothing else may be lost.
    expect([...reasons.keys()].filter((reason) => !reason.includes('ECONNRESET'))).toEqual([])
    expect([...reasons.values()].reduce((sum, count) => sum + count, 0)).toBeLessThan(sent / 100)
    process.kill(app.pid, 'SIGTERM')
    expect(await app.exited).toEqual({ code: 0, signal: null })
  },
)

test('reusePort where Node has none is told, and the primary shares out connections', async () => {
  const { app, load, port } = await loaded(process.execPath, { reusePort: true })
  const isOld = process.version.startsWith('v20.')
  expect(app.of('warning').length).toBe(isOld ? 1 : 0)
  expect(listening(port)).toBe(isOld ? 1 : 2)
  expect((await load.stop()).lost).toEqual([])
})

/** Sockets of all processes that listen on a port of this machine. */
function listening(port: number): number {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(hex) && state === '0A').length
}

async function loaded(
  node: string,
  options: object = {},
): Promise<{ app: AppProcess; load: Load; port: number }> {
  const port = await freePort()
  const app = await startApp({ port, options: shippedDefaults({ workers: 2, ...options }) }, { node })
  await app.said('running', { role: 'primary' })
  const load = new Load(`http://127.0.0.1:${port}`).start({ get: 2, numbered: 2 })
  return { app, load, port }
}
