import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Load } from '../test/load.js'
import { app, childrenOf, pm2, startContestant, untilAnswered, wrk } from './processes.js'

// What is lost through reloads, kills and a stop: the same clients against ours, a careful node:cluster app and pm2.

const rounds = Number(process.env.ROUNDS ?? 20)
const clients = { get: 6, 'slow-body': 3, 'large-answer': 1, numbered: 4 }

/** Long enough for a worker of this app to boot. */
const BOOT_MS = 2_000

interface Contestant {
  name: string
  start(port: number, adminPort: number): Promise<void>
  /** Resolves when the reload is over. */
  reload(): Promise<void>
  workers(): number[]
  /** Resolves when both workers serve. */
  settled(): Promise<void>
  /** Resolves when everything has ended. */
  stop(): Promise<void>
  clean(): void
}

function ours(): Contestant {
  return supervised('loss: scale', '@scale/cluster', /reload done/)
}

function plain(): Contestant {
  return supervised('loss: node:cluster', 'node:cluster, server.close', /reloaded/)
}

function supervised(contestant: string, name: string, reloaded: RegExp): Contestant {
  let child: Awaited<ReturnType<typeof startContestant>>
  return {
    name,
    async start(port, adminPort) {
      child = await startContestant(contestant, { PORT: String(port), ADMIN_PORT: String(adminPort) })
    },
    async reload() {
      const done = new Promise<void>((resolve) => {
        child.stderr!.on('data', function onData(text: string) {
          if (!reloaded.test(text)) return
          child.stderr!.off('data', onData)
          resolve()
        })
      })
      child.kill('SIGHUP')
      await done
    },
    workers: () => childrenOf(child.pid!),
    async settled() {
      while (childrenOf(child.pid!).length < 2) await sleep(20)
      await sleep(BOOT_MS)
    },
    async stop() {
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await exited
    },
    clean() {},
  }
}

function managed(): Contestant {
  const home = mkdtempSync(join(tmpdir(), 'pm2-'))
  return {
    name: 'pm2 reload, wait_ready',
    async start(port) {
      const options = ['-i', '2', '--wait-ready', '--kill-timeout', '3000', '--name', 'app']
      pm2(home, ['start', await app, ...options], { PORT: String(port), CONTESTANT: 'loss: pm2' })
      await untilAnswered(port)
    },
    async reload() {
      pm2Async(home, ['reload', 'app'])
      await pm2Done()
    },
    async settled() {
      await sleep(BOOT_MS)
      while (this.workers().length < 2) await sleep(200)
    },
    workers: () => pm2(home, ['pid', 'app']).trim().split('\n').map(Number).filter(Boolean),
    async stop() {
      pm2Async(home, ['stop', 'app'])
      await pm2Done()
    },
    clean() {
      pm2(home, ['kill'])
      rmSync(home, { recursive: true, force: true })
    },
  }
}

let pm2Running: Promise<unknown> = Promise.resolve()

/** The clients live in this process: it must not wait for pm2 without turning its loop. */
function pm2Async(home: string, args: string[]): void {
  pm2Running = import('node:child_process').then(
    ({ execFile }) =>
      new Promise((resolve) => {
        const bin = new URL('../node_modules/pm2/bin/pm2', import.meta.url).pathname
        execFile(process.execPath, [bin, ...args], { env: { ...process.env, PM2_HOME: home } }, resolve)
      }),
  )
}

async function pm2Done(): Promise<void> {
  await pm2Running
}

interface Row {
  phase: string
  sent: number
  lost: number
  reasons: string
}

async function measure(contestant: Contestant, port: number, adminPort: number): Promise<Row[]> {
  const url = `http://127.0.0.1:${port}`
  await contestant.start(port, adminPort)
  const rows: Row[] = []

  const reloads = new Load(url).start(clients)
  const startedAt = performance.now()
  for (let round = 0; round < rounds; round++) await contestant.reload()
  const tookMs = performance.now() - startedAt
  rows.push(rowOf(`${rounds} reloads in ${(tookMs / 1_000).toFixed(1)} s`, await reloads.stop()))

  const wrkRun = wrk(`${url}/`, 12, 16)
  let isOver = false
  void wrkRun.then(() => {
    isOver = true
  })
  let reloadsUnderWrk = 0
  while (!isOver) {
    await contestant.reload()
    reloadsUnderWrk++
  }
  const seen = await wrkRun
  rows.push({
    phase: `wrk, ${reloadsUnderWrk} reloads`,
    sent: seen.requests,
    lost: seen.non2xx,
    reasons: seen.socketErrors,
  })

  const kills = new Load(url).start(clients)
  for (let round = 0; round < rounds; round++) {
    // Both serve again before the next one dies: what is lost is what was inside.
    await contestant.settled()
    process.kill(contestant.workers()[round % 2]!, 'SIGKILL')
    await sleep(50)
  }
  await sleep(500)
  rows.push(rowOf(`${rounds} SIGKILLs of a worker`, await kills.stop()))

  let sends = true
  const stop = new Load(url, { mayConnect: () => sends }).start(clients)
  await sleep(500)
  sends = false
  await Promise.all([contestant.stop(), stop.stop()])
  rows.push(rowOf('stop', stop.result))
  contestant.clean()
  return rows
}

function rowOf(phase: string, { sent, answered, refused, reasons }: Load['result']): Row {
  const summary = [...reasons].map(([reason, count]) => `${count}× ${reason}`).join('; ')
  return { phase, sent, lost: sent - answered + refused, reasons: summary }
}

let port = 21_000
for (const contestant of [ours(), plain(), managed()]) {
  for (const row of await measure(contestant, port++, port++)) {
    const { phase, sent, lost, reasons } = row
    process.stdout.write(`${contestant.name} | ${phase} | sent ${sent} | lost ${lost} | ${reasons}\n`)
  }
}
process.exit(0)
