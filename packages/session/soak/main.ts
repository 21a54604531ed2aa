// Sessions of four processes on Redis with Sentinel, at Sentinel's own times (30 s until a primary counts as down), while servers
// freeze, die, are replaced and are all started anew; in some five minutes. Each answer is held against what was acknowledged.
// Ends non-zero if a process was down for more than a second after the new primary was named, or if something is lost that was
// acknowledged later than that. `pnpm --filter @scale/session soak`
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findRedisServer } from '@scale/devkit/redis-server'
import { createRedis, whenReady } from '@scale/redis'
import { type RedisServer, startRedisSentinel } from '@scale/redis/testing'
import { Redis } from 'ioredis'
import type { Report } from './report.js'

const COPIES = 4
const HEARD_MS = 1_000

const group = await startRedisSentinel({
  ...(await findRedisServer()),
  replicas: 2,
  timing: 'shipped',
  args: ['--appendonly', 'yes'],
})
const copies = await Promise.all(Array.from({ length: COPIES }, (_, index) => startCopy(index)))

async function startCopy(index: number): Promise<ChildProcess> {
  const copy = fork(fileURLToPath(new URL('copy.ts', import.meta.url)), [group.url, `copy${index}`])
  await once(copy, 'message')
  return copy
}

async function reports(): Promise<Report[]> {
  return Promise.all(
    copies.map(async (copy) => {
      copy.send('report')
      return (await once(copy, 'message'))[0] as Report
    }),
  )
}

/** When a replica became a primary, by its own word, and when the first Sentinel said so; epoch ms. */
interface Promotion {
  promotedAt: number
  namedAt: number
}

/** Waits for a promotion, looking at everything that is awake. */
async function promotion(before: RedisServer): Promise<Promotion> {
  const others = group.servers.filter((server) => server !== before)
  const listeners = group.sentinels
    .filter(({ paused }) => !paused)
    .map(({ port }) => new Redis({ port, maxRetriesPerRequest: null }))
  const named = new Promise<number>((resolve) => {
    for (const listener of listeners) {
      void listener.subscribe('+promoted-slave', '+switch-master')
      listener.on('message', () => resolve(Date.now()))
    }
  })
  let promotedAt = 0
  while (promotedAt === 0) {
    const roles = await Promise.all(others.map((server) => server.command('ROLE').catch(() => [])))
    if (roles.some((role) => (role as string[])[0] === 'master')) promotedAt = Date.now()
    else await sleep(10)
  }
  const namedAt = await named
  for (const listener of listeners) listener.disconnect()
  return { promotedAt, namedAt }
}

interface Scenario {
  readonly name: string
  /** Does it, and tells when somebody else was the primary, if that is what it comes to. */
  run(primary: RedisServer): Promise<Promotion | undefined>
}

const scenarios: Scenario[] = [
  {
    name: 'all servers and sentinels started anew',
    run: async () => {
      const all = [...group.servers, ...group.sentinels]
      await Promise.all(all.map((server) => server.kill()))
      await sleep(2_000)
      await Promise.all(all.map((server) => server.restart()))
      const at = Date.now()
      return { promotedAt: at, namedAt: at }
    },
  },
  { name: 'planned fail-over', run: (primary) => handover(primary) },
  {
    name: 'planned fail-over, one sentinel frozen',
    run: async (primary) => {
      const [frozen] = group.sentinels
      frozen!.pause()
      const another = createRedis(group.url)
      const startedAt = Date.now()
      if (!(await whenReady(another, 5_000)))
        throw new Error('a new client is not ready while one sentinel is frozen')
      console.log(`  a new client is ready after ${Date.now() - startedAt} ms`)
      another.disconnect()
      const promoted = await handover(primary)
      await sleep(15_000)
      frozen!.resume()
      return promoted
    },
  },
  {
    name: 'primary frozen, and thawed later',
    run: async (primary) => {
      primary.pause()
      const promoted = await promotion(primary)
      await sleep(10_000)
      primary.resume()
      return promoted
    },
  },
  {
    name: 'primary killed, and started anew later',
    run: async (primary) => {
      await primary.kill()
      const promoted = await promotion(primary)
      await sleep(10_000)
      await primary.restart()
      return promoted
    },
  },
]

async function handover(primary: RedisServer): Promise<Promotion> {
  const promoted = promotion(primary)
  const sentinel = group.sentinels.find(({ paused }) => !paused)!
  await sentinel.command('SENTINEL', 'FAILOVER', group.name)
  return promoted
}

let isFine = true
for (const { name, run } of scenarios) {
  await sleep(3_000)
  await reports()
  const primary = await group.primary()
  const beganAt = Date.now()
  console.log(name)
  const promoted = await run(primary)
  // Until the old primary is demoted, and whoever missed it has found out: by then everything that is lost was noticed.
  await group.settled()
  await sleep(10_000)
  isFine = told(await reports(), beganAt, promoted!) && isFine
}
for (const copy of copies) copy.kill()
await group.stop()
process.exitCode = isFine ? 0 : 1

/** @returns whether it is as promised */
function told(all: readonly Report[], beganAt: number, { promotedAt, namedAt }: Promotion): boolean {
  const gaps = all.map(({ gaps: own }) => own.filter(([, to]) => to >= beganAt))
  const downMs = Math.max(0, ...gaps.flat().map(([from, to]) => to - from))
  const ofNaming = gaps.flat().filter(([from]) => from <= namedAt + HEARD_MS)
  const afterMs = Math.max(0, ...ofNaming.map(([, to]) => to - namedAt))
  const sum = (count: (report: Report) => number) => all.reduce((total, report) => total + count(report), 0)
  console.log(`  ${sum((one) => one.answers)} answers, ${sum((one) => one.refused)} refused`)
  console.log(`  promoted after ${promotedAt - beganAt} ms, named ${namedAt - promotedAt} ms later`)
  console.log(`  longest time without an answer ${downMs} ms, until ${afterMs} ms after the naming`)
  const isPromptly = afterMs <= HEARD_MS
  return (
    [
      tellLosses(
        'acknowledged and lost',
        all.flatMap(({ lost }) => lost),
      ),
      tellLosses(
        'logged out and there again',
        all.flatMap(({ revived }) => revived),
      ),
    ].every(Boolean) && isPromptly
  )

  /** Replication lags; Sentinels promote first and tell then; and what they say takes its time to be heard. */
  function tellLosses(what: string, times: readonly number[]): boolean {
    const count = (from: number, to: number): number => times.filter((at) => at > from && at <= to).length
    const late = count(namedAt + HEARD_MS, Number.POSITIVE_INFINITY)
    const lastMs = Math.max(0, ...times.map((at) => at - namedAt))
    console.log(
      `  ${what}: ${count(0, promotedAt)} by replication lag, ${count(promotedAt, namedAt)} before it was named, ` +
        `${count(namedAt, namedAt + HEARD_MS)} before it was heard (the last ${lastMs} ms after), ${late} later`,
    )
    return late === 0
  }
}
