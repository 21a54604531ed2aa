import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { FromContestant } from './contestants/contestant.js'

/** The servers of bench/contestants. */
export type ContestantName = 'bare-express' | 'scale' | 'express-session' | 'bare-fastify' | 'fastify-session'

/** A contestant in a process of its own. */
export interface Contestant {
  readonly name: ContestantName
  readonly port: number
  /** CPU time of the process so far, user and system, in µs. */
  cpuMicros(): Promise<number>
  stop(): Promise<void>
}

/** @throws {Error} it ended before it listened */
export async function startContestant(name: ContestantName, redisPort: number): Promise<Contestant> {
  const file = fileURLToPath(new URL(`./contestants/${name}.ts`, import.meta.url))
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  const child = fork(file, {
    execArgv: ['--import', tsx, '--conditions=@scale/source'],
    env: { ...process.env, BENCH_REDIS_PORT: String(redisPort), NODE_ENV: 'production' },
  })
  const { port } = (await nextMessage(child)) as { port: number }
  return {
    name,
    port,
    cpuMicros: async () => {
      const answer = nextMessage(child)
      child.send('cpu')
      return ((await answer) as { cpuMicros: number }).cpuMicros
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

function nextMessage(child: ChildProcess): Promise<FromContestant> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a contestant ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.off('exit', ended)
      resolve(message as FromContestant)
    })
  })
}
