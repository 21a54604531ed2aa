import { testRedis } from '@scale/devkit/redis-server'
import { countCommands } from './command-counter.js'
import { Contestant } from './contestant.js'
import { stacks } from './stacks.js'

// `pnpm --filter benchmarks bench`: CPU per request and Redis commands per request of whole stacks, side by side. The
// stacks take turns, round by round, so that a change of the machine's pace meets all of them.

const ROUNDS = 9
const REQUESTS = 4_800

const redis = await testRedis()
const names = Object.keys(stacks)

const commands = new Map<string, number>()
for (const name of names) commands.set(name, await commandsPerRequest(name))

const contestants: Contestant[] = []
for (const name of names) contestants.push(await Contestant.start(name, redis.url))
for (const contestant of contestants) {
  await contestant.logIn()
  await contestant.cpuMicrosPerRequest(REQUESTS)
}
const shares = new Map(names.map((name) => [name, [] as number[]]))
const bareMicros: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  const [bare, ...rest] = contestants
  const base = await bare!.cpuMicrosPerRequest(REQUESTS)
  bareMicros.push(base)
  for (const contestant of rest) {
    shares.get(contestant.name)!.push((await contestant.cpuMicrosPerRequest(REQUESTS)) / base - 1)
  }
}
for (const contestant of contestants) await contestant.stop()
await redis.stop()

console.log(
  `CPU on top of Express alone (${median(bareMicros).toFixed(0)} µs), as a share of it: median (lowest–highest)`,
)
for (const [name, values] of shares) {
  if (values.length === 0) continue
  const middle = median(values)
  const range = `${values[0]!.toFixed(2)}–${values.at(-1)!.toFixed(2)}`
  console.log(
    `${middle.toFixed(2).padStart(6)}  (${range})  ${commands.get(name)!.toFixed(2)} Redis commands  ${name}`,
  )
}

async function commandsPerRequest(name: string): Promise<number> {
  const counter = await countCommands(redis)
  const contestant = await Contestant.start(name, counter.url)
  await contestant.logIn()
  await contestant.cpuMicrosPerRequest(REQUESTS)
  const before = counter.commands
  await contestant.cpuMicrosPerRequest(REQUESTS)
  const each = (counter.commands - before) / REQUESTS
  await contestant.stop()
  counter.close()
  return each
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
