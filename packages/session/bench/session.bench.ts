import { testRedis } from '@scale/devkit/redis-server'
import { cpuShares, type Share } from './cpu-share.js'
import { lostKeys, revivedSessions } from './races.js'
import { type Contestant, type ContestantName, startContestant } from './start-contestant.js'

// Prints what two processes of each contestant lose, and what reading and changing a session cost on top of the bare
// answer of the same framework. Only ratios within one run mean anything.

const WRITERS = 200
const LOGOUTS = 1_000

const redis = await testRedis()
const started: Contestant[] = []
const start = async (name: ContestantName): Promise<Contestant> => {
  const contestant = await startContestant(name, redis.port)
  started.push(contestant)
  return contestant
}

try {
  console.log(
    `${WRITERS} parallel writers of one key each, ${LOGOUTS} logouts raced against slow writers, 2 processes:`,
  )
  for (const name of ['scale', 'express-session', 'fastify-session'] as const) {
    const pair = [await start(name), await start(name)] as const
    const lost = await lostKeys(pair, WRITERS)
    const revived = await revivedSessions(pair, LOGOUTS)
    console.log(`  ${name.padEnd(16)} ${lost} keys lost, ${revived} sessions came back`)
    for (const contestant of pair) await contestant.stop()
  }

  for (const [bare, ...names] of [
    ['bare-express', 'scale', 'express-session'],
    ['bare-fastify', 'fastify-session'],
  ] as const) {
    const [without, ...contestants] = await Promise.all([bare, ...names].map(start))
    for (const path of ['/read', '/write'] as const) {
      console.log(
        `CPU of the server for GET ${path}, as a share of what it spends on 300 bytes of JSON without:`,
      )
      for (const share of await cpuShares(path, without!, contestants))
        console.log(`  ${lineOf(bare, share)}`)
    }
  }
} finally {
  for (const contestant of started) await contestant.stop()
  await redis.stop()
}

function lineOf(bare: string, { name, share, lowest, highest, bareMicros, micros }: Share): string {
  const figures = `${share.toFixed(2)} (${lowest.toFixed(2)} to ${highest.toFixed(2)})`
  return `${name.padEnd(16)} ${figures}: ${micros.toFixed(1)} µs, ${bare} ${bareMicros.toFixed(1)} µs`
}
