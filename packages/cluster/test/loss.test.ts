import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { wrk } from '../bench/processes.js'
import { type AppProcess, freePort, startApp, temporaryFolder } from './app-process.js'
import { Load, type LoadResult } from './load.js'
import { inTestTime, isSoak, rounds, shippedDefaults } from './time.js'

// What is lost of everything that clients of all kinds send, while workers come and go, at the defaults. Nothing is sent twice.

const everyKind = {
  get: 2,
  'slow-body': 2,
  'large-answer': 1,
  numbered: 2,
  tls: 1,
  h2: 2,
  events: 2,
  websocket: 2,
}

describe('under load', { timeout: 60_000 + rounds(30) * inTestTime(90_000) }, () => {
  // In the short form `reload.test.ts` has the same: this one is of all kinds of clients, and long.
  if (isSoak)
    test('reloads', async () => {
      const { app, load } = await loaded(everyKind)
      for (let round = 1; round <= rounds(30); round++) {
        process.kill(app.pid, 'SIGHUP')
        await app.said('reload', { state: 'done', replaced: 2 }, round)
      }
      expectNothingLost(await load.stop(), 'reloads')
    })

  test('reloads, seen by wrk', async () => {
    const { app, url } = await loaded({})
    const seen = wrk(`${url}/echo`, Math.ceil(2 + (rounds(30) * inTestTime(7_000)) / 1_000), 8)
    let isOver = false
    void seen.finally(() => {
      isOver = true
    })
    let reloads = 0
    while (!isOver) {
      process.kill(app.pid, 'SIGHUP')
      await app.said('reload', { state: 'done', replaced: 2 }, ++reloads)
    }
    expect(reloads).toBeGreaterThan(1)
    const { requests, socketErrors, non2xx } = await seen
    say('reloads, seen by wrk', requests, 0)
    expect({ socketErrors, non2xx }).toEqual({ socketErrors: '0', non2xx: 0 })
    expect(requests).toBeGreaterThan(100)
  })

  test('reloads to builds that fail', async () => {
    const { app, load, build } = await loaded(everyKind)
    for (let round = 1; round <= rounds(30); round++) {
      build(round % 2 === 0 ? 'boot' : 'canary')
      process.kill(app.pid, 'SIGHUP')
      await app.said('reload', { state: 'failed', replaced: 0 }, round)
    }
    expect(app.of('worker', { state: 'canary' }).length).toBeGreaterThan(1)
    expectNothingLost(await load.stop(), 'reloads to builds that fail')
  })

  test('a dependency that comes and goes', async () => {
    const { app, load, down } = await loaded(everyKind)
    for (let round = 1; round <= rounds(30); round++) {
      writeFileSync(down, '')
      await app.said('readiness', { ready: false }, round)
      rmSync(down)
      await app.said('readiness', { ready: true }, round + 1)
    }
    expectNothingLost(await load.stop(), 'a dependency that comes and goes')
  })

  test('SIGKILLs of workers: nothing but what was inside', async () => {
    const { app, load } = await loaded(everyKind)
    const killed = new Set<unknown>()
    for (let round = 0; round < rounds(20); round++) {
      const ready = app.of('worker', { state: 'ready' }).filter(({ pid }) => !killed.has(pid))
      const { pid } = ready[round % ready.length]!
      killed.add(pid)
      process.kill(pid as number, 'SIGKILL')
      await app.said('worker', { state: 'exited', pid })
      await app.said('worker', { state: 'ready' }, 3 + round)
      await sleep(50)
    }
    const { sent, lost, lostFrom } = await load.stop()
    say('SIGKILLs of workers', sent, lostFrom.length)
    const owners = lostFrom.map((peer) => app.of('connection', { peer }).at(-1)?.pid)
    expect(
      owners.filter((pid) => !killed.has(pid)),
      lost.join('\n'),
    ).toEqual([])
    expect(sent).toBeGreaterThan(100)
  })
})

describe('SIGTERM at any point of a start', () => {
  test('ends it with 0, and what a worker could take is answered', {
    timeout: 60_000 + rounds(40) * 15_000,
  }, async () => {
    const bootMs = await bootTime()
    const points = rounds(40)
    for (let point = 0; point < points; point++) {
      const { app, url } = await launched()
      const load = new Load(url, { mayConnect: () => app.child.exitCode === null }).start({
        get: 1,
        numbered: 1,
      })
      await app.until(() => existsSync(`/proc/${app.pid}`), 'process')
      await app.until(() => app.of('decided').length > 0, 'decision')
      await sleep((bootMs * 1.2 * point) / points)
      process.kill(app.pid, 'SIGTERM')
      expect(await app.ended(), `point ${point} of ${points}\n${app.transcript()}`).toEqual({
        code: 0,
        signal: null,
      })
      const { reasons } = await load.stop()
      // Before it listens, and after, nobody is there who could answer; nor is there while no worker has been ready: who waits for one is reset.
      const isUnanswerable =
        app.of('worker', { state: 'ready' }).length > 0 ? /: ECONNREFUSED$/ : /: (ECONNREFUSED|ECONNRESET)$/
      expect([...reasons.keys()].filter((reason) => !isUnanswerable.test(reason))).toEqual([])
    }
  })
})

/** From the decision until all are ready. */
async function bootTime(): Promise<number> {
  const { app } = await launched()
  await app.said('decided')
  const startedAt = performance.now()
  await app.said('running', { role: 'primary' })
  return performance.now() - startedAt
}

function say(what: string, sent: number, lost: number): void {
  process.stdout.write(`${what}: ${sent} sent, ${lost} lost\n`)
}

function expectNothingLost({ sent, answered, refused, lost, numbers }: LoadResult, what: string): void {
  say(what, sent, sent - answered)
  expect(lost).toEqual([])
  expect({ answered, refused }).toEqual({ answered: sent, refused: 0 })
  expect(sent).toBeGreaterThan(100)
  for (const list of numbers) expect(list).toEqual(list.map((_, index) => index + 1))
}

interface Traffic {
  app: AppProcess
  url: string
  tlsUrl: string
  down: string
  build: (fails: '' | 'boot' | 'canary') => void
}

async function launched(): Promise<Traffic> {
  const folder = temporaryFolder()
  const [down, buildFile] = [join(folder, 'down'), join(folder, 'build')]
  const build = (fails: string): void => writeFileSync(buildFile, fails)
  build('')
  const [port, tlsPort] = [await freePort(), await freePort()]
  const options = shippedDefaults({ workers: 2 })
  const settings = { options, port, tlsPort, down, build: buildFile, spreadMs: inTestTime(10_000) }
  const app = await startApp(settings, { fixture: 'traffic' })
  return { app, url: `http://127.0.0.1:${port}`, tlsUrl: `https://127.0.0.1:${tlsPort}`, down, build }
}

async function loaded(clients: Partial<typeof everyKind>): Promise<Traffic & { load: Load }> {
  const traffic = await launched()
  await traffic.app.said('running', { role: 'primary' })
  return { ...traffic, load: new Load(traffic.url, { tlsUrl: traffic.tlsUrl }).start(clients) }
}
