import { setTimeout as sleep } from 'node:timers/promises'
import { findRedisServer } from '@scale/devkit/redis-server'
import { type RedisServer, startFaultProxy, startRedis, startRedisCluster } from '@scale/redis/testing'
import { through } from './pause.js'
import { KEYS, type Subject, startSubjects } from './subjects.js'

// `pnpm --filter benchmarks pauses`: what becomes of requests while Redis pauses, is gone, or one node of a Cluster is.

const PAUSES_MS = [50, 100, 200, 500, 900, 1_500, 3_000]

const program = await findRedisServer()
const server = await startRedis({ ...program, appendOnly: true, args: ['--enable-debug-command', 'local'] })
const proxy = await startFaultProxy({ target: server })

const ways: Record<string, (pauseMs: number) => Promise<void>> = {
  'DEBUG SLEEP': async (pauseMs) => void (await server.command('DEBUG', 'SLEEP', pauseMs / 1_000)),
  SIGSTOP: (pauseMs) => frozen(server, pauseMs),
  'a proxy that holds answers': async (pauseMs) => {
    await proxy.set({ holdReplies: true })
    await sleep(pauseMs)
    await proxy.clear()
  },
}

async function frozen(node: RedisServer, pauseMs: number): Promise<void> {
  node.pause()
  await sleep(pauseMs)
  node.resume()
}

const subjects = await startSubjects(proxy.url)
const names = subjects.all.map(({ name }) => name)
const refused = new Map<string, string[]>()
const longest = new Map<string, number>()
for (const [way, pause] of Object.entries(ways)) {
  for (const pauseMs of PAUSES_MS) {
    const outcomes = await through(subjects.all, () => pause(pauseMs))
    for (const [name, { counts, refusedForMs }] of outcomes) {
      const row = `${name} | ${way}`
      const others = counts.without > 0 ? ` (${counts.without})` : ''
      refused.set(row, [...(refused.get(row) ?? []), `${counts.refused}${others}`])
      longest.set(name, Math.max(longest.get(name) ?? 0, refusedForMs))
    }
    // A connection that is new, or a place in the log, is not what is measured.
    await sleep(200)
  }
}
console.log(
  'Refused, of 32 in flight for each, by the length of the pause; in brackets: ended without Redis, as declared.\n',
)
console.log(`| what | paused by | ${PAUSES_MS.map((ms) => `${ms} ms`).join(' | ')} |`)
console.log(`| --- | --- | ${PAUSES_MS.map(() => '---').join(' | ')} |`)
for (const name of names) {
  for (const way of Object.keys(ways)) {
    console.log(`| ${name} | ${way} | ${refused.get(`${name} | ${way}`)!.join(' | ')} |`)
  }
}

const gone = await through(subjects.all, async () => {
  await server.kill()
  await sleep(2_500)
  await server.restart()
})
const silent = await through(subjects.all, async () => {
  await proxy.set({ blackHole: true })
  await sleep(2_500)
  await proxy.clear()
})
await subjects.close()
await proxy.close()
await server.stop()

console.log(
  '\nHow long refusals went on after the first answer, at most; the longest wait of requests that began while Redis was gone, killed or silent, and what 99 in 100 wait after the first second.\n',
)
console.log('| what | refusals end after | killed | silent | silent for more than 1.1 s |')
console.log('| --- | --- | --- | --- | --- |')
const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`
for (const name of names) {
  const [killed, mute] = [gone.get(name)!, silent.get(name)!]
  console.log(
    `| ${name} | ${ms(longest.get(name)!)} | ${ms(killed.longestMs)} | ${ms(mute.longestMs)} | ${ms(mute.laterP99Ms)} |`,
  )
}

const cluster = await startRedisCluster({ ...program, nodeTimeoutMs: 15_000 })
const clustered = await startSubjects(cluster.url)
const [node] = cluster.nodes
const PAUSE_MS = 3_000

/** Those keys of a subject that are answered while a node is frozen. */
async function answeredWithout(subject: Subject): Promise<number[]> {
  const keys: number[] = []
  const asked = Array.from({ length: KEYS }, async (_, key) => {
    if ((await subject.ask(key)) === 'answered') keys.push(key)
  })
  await Promise.all(asked)
  return keys
}

await sleep(500)
node!.pause()
const elsewhere = new Map<Subject, number[]>()
for (const subject of clustered.all) elsewhere.set(subject, await answeredWithout(subject))
node!.resume()
await sleep(1_000)
const keysOf = (subject: Subject): number[] => elsewhere.get(subject)!
const well = await through(clustered.all, () => sleep(PAUSE_MS), keysOf)
const split = await through(clustered.all, () => frozen(node!, PAUSE_MS), keysOf)
await clustered.close()
await cluster.stop()

console.log(`\nA Cluster of three, one of which is frozen for ${PAUSE_MS} ms: requests of the others.\n`)
console.log('| what | keys elsewhere | refused, without Redis | p99 | p99 when all are well |')
console.log('| --- | --- | --- | --- | --- |')
for (const subject of clustered.all) {
  const { counts, p99Ms } = split.get(subject.name)!
  const share = `${keysOf(subject).length} of ${KEYS}`
  console.log(
    `| ${subject.name} | ${share} | ${counts.refused}, ${counts.without} | ${ms(p99Ms)} | ${ms(well.get(subject.name)!.p99Ms)} |`,
  )
}
