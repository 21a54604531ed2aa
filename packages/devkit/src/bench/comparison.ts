import { testRedis } from '../redis-server.js'
import { Contestant } from './contestant.js'
import { LoadClient } from './load.js'
import { buildIfStale } from './stale.js'
import type { CallVariant, RequestText, ServerVariant, Variants } from './variant.js'

/** How much is measured. Environment variables of the same names in capitals go before. */
export interface Effort {
  /** How often all processes are started anew: two of the same program differ by some percent. Default 3 */
  readonly generations?: number
  /** Rounds of each generation in which each variant has its turn. Default 12 */
  readonly rounds?: number
  /** Requests or calls of a turn: few, so that some turns of each variant fall into quiet moments. Default 1,000 */
  readonly requests?: number
  /** Connections of a server, or calls under way. Default 32 */
  readonly connections?: number
  /** Requests or calls before the first round counts: until then code is still being compiled. Default 16,000 */
  readonly warmUp?: number
}

/** What a bench compares. */
interface Contest<Variant> extends Effort {
  /** `import.meta.url` of the module that exports `variants`. */
  readonly module: string
  readonly variants: Variants<Variant>
  /** Whether the variants use packages of the workspace, which are then built first if they have changed. Default true */
  readonly packages?: boolean
  /** Names of the variants to compare, beside those they are measured against. Default: the command line's, else all */
  readonly only?: readonly string[]
}

/**
 * CPU time of one request in µs, of each variant, in each generation: that of its quietest turns (the lower decile), since
 * whatever else the machine does only adds.
 */
export type Costs = ReadonlyMap<string, readonly number[]>

/** A contest of servers, and what else was asked of them. */
export interface ServerContest extends Contest<ServerVariant> {
  /** Asked of each server after its last round; see `ServerVariant.asked`. */
  readonly afterwards?: (name: string, ask: (question: unknown) => Promise<unknown>) => Promise<void>
}

/** Measures servers under load, in one run, each in a process of its own. */
export async function compareServers(contest: ServerContest): Promise<Costs> {
  const { variants, afterwards } = contest
  const { requests, connections } = effortOf(contest)
  const first = Object.keys(variants)[0]!
  const baseOf = (name: string): string => variants[name]!.against ?? first
  const names = chosen(contest, baseOf)

  async function turnsOf(name: string, contestant: Contestant): Promise<Turn> {
    const { requests: asking = () => GET, answer = /^HTTP\/1\.1 200 / } = variants[name]!
    const { port } = contestant
    const request: RequestText = await asking(`http://127.0.0.1:${port}`)
    const client = await LoadClient.connect(port, connections)
    return async (warm) => {
      const before = await contestant.cpuMicros()
      let wrong: string | undefined
      const onAnswer = (text: string): void => {
        if (warm && !answer.test(text)) wrong = text
      }
      await client.send({ requests, request, onAnswer })
      if (wrong !== undefined) throw new Error(`${name}: not ${String(answer)}: ${wrong.slice(0, 500)}`)
      return (await contestant.cpuMicros()) - before
    }
  }

  return compare({ ...contest, names, effort: effortOf(contest), turnsOf, afterwards })
}

/** Measures calls in one run, each kind in a process of its own. */
export function compareCalls(contest: Contest<CallVariant>): Promise<Costs> {
  const effort = effortOf(contest)
  const turnsOf = async (_name: string, contestant: Contestant): Promise<Turn> => {
    return () => contestant.callMicros(effort.requests, effort.connections)
  }
  const names = chosen(contest, () => Object.keys(contest.variants)[0]!)
  return compare({ ...contest, names, effort, turnsOf, afterwards: undefined })
}

const GET: RequestText = () => 'GET / HTTP/1.1\r\nHost: bench\r\n\r\n'

/** One turn of a variant. @returns CPU time in µs of all its requests */
type Turn = (warm: boolean) => Promise<number>

interface Comparison extends Pick<ServerContest, 'module' | 'packages'> {
  readonly names: readonly string[]
  readonly effort: Required<Effort>
  readonly turnsOf: (name: string, contestant: Contestant) => Promise<Turn>
  readonly afterwards: ServerContest['afterwards'] | undefined
}

async function compare({
  module,
  packages = true,
  names,
  effort,
  turnsOf,
  afterwards,
}: Comparison): Promise<Costs> {
  const { generations, rounds, requests, warmUp } = effort
  const costs = new Map(names.map((name) => [name, [] as number[]]))
  if (packages) await buildIfStale()
  for (let generation = 0; generation < generations; generation++) {
    const seen = new Map(names.map((name) => [name, [] as number[]]))
    // Its own, so that it holds no more for the last generation than for the first.
    const redis = await testRedis()
    const contestants = new Map<string, Contestant>()
    try {
      const turns = new Map<string, Turn>()
      for (const name of names) {
        const contestant = await Contestant.start(module, name, redis.url)
        contestants.set(name, contestant)
        turns.set(name, await turnsOf(name, contestant))
      }
      for (let round = -Math.ceil(warmUp / requests); round < rounds; round++) {
        // Who follows whom changes: nobody always runs in what the one before has left behind.
        for (const name of round % 2 === 0 ? names : names.toReversed()) {
          const micros = await turns.get(name)!(round >= 0)
          if (round >= 0) seen.get(name)!.push(micros / requests)
        }
      }
      for (const name of names) costs.get(name)!.push(lowerDecile(seen.get(name)!))
      if (generation < generations - 1 || afterwards === undefined) continue
      for (const [name, contestant] of contestants)
        await afterwards(name, (question) => contestant.ask(question))
    } finally {
      for (const contestant of contestants.values()) await contestant.stop()
      await redis.stop()
    }
  }
  return costs
}

function lowerDecile(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 10)]!
}

function effortOf(effort: Effort): Required<Effort> {
  const { GENERATIONS, ROUNDS, REQUESTS, CONNECTIONS, WARM_UP } = process.env
  return {
    generations: Number(GENERATIONS ?? effort.generations ?? 3),
    rounds: Number(ROUNDS ?? effort.rounds ?? 12),
    requests: Number(REQUESTS ?? effort.requests ?? 1_000),
    connections: Number(CONNECTIONS ?? effort.connections ?? 32),
    warmUp: Number(WARM_UP ?? effort.warmUp ?? 16_000),
  }
}

/** The variants that take part, in their order: those that are named, and what they are measured against. */
function chosen(
  { variants, only = process.argv.slice(2) }: Pick<Contest<unknown>, 'variants' | 'only'>,
  baseOf: (name: string) => string,
): string[] {
  const all = Object.keys(variants)
  const unknown = only.find((name) => !all.includes(name))
  if (unknown !== undefined) throw new Error(`There is no variant '${unknown}'. There are: ${all.join('; ')}`)
  const bases = only.map(baseOf)
  return only.length === 0 ? all : all.filter((name) => only.includes(name) || bases.includes(name))
}
