import { type ForkedServer, forkServer } from './fork-server.js'

/** The servers of bench/contestants. */
export type ContestantName = 'scale' | 'express-session' | 'fastify-session'

/** A contestant in a process of its own. */
export interface Contestant extends Pick<ForkedServer, 'port' | 'stop'> {
  readonly name: ContestantName
}

/** @throws {Error} it ended before it listened */
export async function startContestant(name: ContestantName, redisPort: number): Promise<Contestant> {
  const { port, stop } = await forkServer(new URL(`./contestants/${name}.ts`, import.meta.url), {
    BENCH_REDIS_PORT: String(redisPort),
    NODE_ENV: 'production',
  })
  return { name, port, stop }
}
