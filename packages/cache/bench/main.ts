// CPU of the server per request, as a share of what bare Express spends on the same answer, all in one run; bytes per
// entry; and what an invalidation during a load comes to. `pnpm --filter @scale/cache bench`
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { testRedis } from '@scale/devkit/redis-server'
import { invalidateDuringLoad } from './fence.js'
import { load } from './load.js'
import type { Question } from './server.js'
import { VARIANTS } from './variants.js'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5)
const REQUESTS = Number(process.env.BENCH_REQUESTS ?? 6_000)
const ENTRIES = 5_000

interface Contestant {
  readonly name: string
  readonly child: ChildProcess
  readonly port: number
  readonly micros: number[]
  bytes: number | undefined
  statuses: Record<string, number>
}

const redis = await testRedis()
const contestants: Contestant[] = []
try {
  for (const name of Object.keys(VARIANTS)) contestants.push(await start(name))
  // Warm: code is compiled, and caches are filled.
  for (const contestant of contestants) await measured(contestant, 0)
  for (let round = 1; round <= ROUNDS; round++) {
    for (const contestant of contestants) contestant.micros.push(await measured(contestant, round))
  }
  for (const contestant of contestants)
    contestant.bytes = (await ask(contestant.child, { kind: 'bytes', entries: ENTRIES })).bytes
  print()
  console.log('\nInvalidated while it was being loaded, a value read afterwards:')
  console.table(await invalidateDuringLoad(redis.url))
} finally {
  for (const { child } of contestants) child.kill()
  await redis.stop()
}
process.exit()

async function start(name: string): Promise<Contestant> {
  const child = fork(fileURLToPath(new URL('./server.ts', import.meta.url)), {
    execArgv: ['--expose-gc', '--import', 'tsx', '--conditions=@scale/source'],
    env: { ...process.env, NODE_ENV: 'production', VARIANT: name, REDIS_URL: redis.url },
  })
  const { port } = await answerOf(child)
  return { name, child, port: port!, micros: [], bytes: undefined, statuses: {} }
}

/** CPU micros per request. A miss asks for a path that nobody has asked for; the others for one of ten. */
async function measured(contestant: Contestant, round: number): Promise<number> {
  const { name, child, port } = contestant
  const isMiss = name.endsWith('miss')
  const fields = name.endsWith('304') ? 'If-None-Match: *\r\n' : ''
  const before = (await ask(child, { kind: 'cpu' })).cpuMicros!
  contestant.statuses = await load(port, REQUESTS, (number) => ({
    path: isMiss ? `/${round}-${number}` : `/${number % 10}`,
    fields,
  }))
  return ((await ask(child, { kind: 'cpu' })).cpuMicros! - before) / REQUESTS
}

interface Answer {
  port?: number
  cpuMicros?: number
  bytes?: number
}

function ask(child: ChildProcess, question: Question): Promise<Answer> {
  child.send(question)
  return answerOf(child)
}

function answerOf(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error('a server ended'))
    child.once('exit', onExit)
    child.once('message', (answer) => {
      child.off('exit', onExit)
      resolve(answer as Answer)
    })
  })
}

function print(): void {
  const best = (contestant: Contestant): number => Math.min(...contestant.micros)
  const bare = best(contestants[0]!)
  console.table(
    Object.fromEntries(
      contestants.map((contestant) => [
        contestant.name,
        {
          'of bare': (best(contestant) / bare).toFixed(2),
          'on top of it': (best(contestant) / bare - 1).toFixed(2),
          'bytes per entry': contestant.bytes === undefined ? '' : Math.round(contestant.bytes),
          answers: JSON.stringify(contestant.statuses),
        },
      ]),
    ),
  )
}
