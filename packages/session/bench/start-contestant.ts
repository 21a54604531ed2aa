import { type ForkedServer, forkServer } from './fork-server.js'

/** The servers of bench/contestants. */
export type ContestantName = 'bare-express' | 'scale' | 'express-session' | 'bare-fastify' | 'fastify-session'

/** A contestant in a process of its own. */
export interface Contestant extends Pick<ForkedServer, 'port' | 'stop'> {
  readonly name: ContestantName
  /** CPU time of the process so far, user and system, in µs. */
  cpuMicros(): Promise<number>
}

/** @throws {Error} it ended before it listened */
export async function startContestant(name: ContestantName, redisPort: number): Promise<Contestant> {
  const { port, ask, stop } = await forkServer(new URL(`./contestants/${name}.ts`, import.meta.url), {
    BENCH_REDIS_PORT: String(redisPort),
    NODE_ENV: 'production',
  })
  return { name, port, stop, cpuMicros: async () => ((await ask()) as { cpuMicros: number }).cpuMicros }
}
