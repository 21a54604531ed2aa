import { compareServers, printOnTop } from '@scale/devkit/bench'
import { testRedis } from '@scale/devkit/redis-server'
import { lostKeys, revivedSessions } from './races.js'
import { type Contestant, type ContestantName, startContestant } from './start-contestant.js'
import { variants } from './variants.js'

// Prints what two processes of each contestant lose, and what reading and changing a session cost on top of the bare
// answer of the same framework. Names of variants as arguments choose among the latter. Only ratios within one run mean anything.

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
} finally {
  for (const contestant of started) await contestant.stop()
  await redis.stop()
}

const module = new URL('variants.ts', import.meta.url).href
printOnTop(await compareServers({ module, variants }), variants, 'a bare Express 5 answer')
process.exit()
