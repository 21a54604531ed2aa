import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './ports.js'
import { lastLines, runServer, type ServerProcess } from './process.js'
import { ErrorReply, type Reply, sendCommand } from './resp.js'
import { waitUntil } from './wait-until.js'

/** How to run the server program; shared by everything that starts one. */
export interface ServerProgram {
  /** `redis-server` or `valkey-server`: a path, or a name on the PATH. */
  readonly binary: string
  /** Environment variables it needs on top of this process's, such as `LD_LIBRARY_PATH`. Default none */
  readonly env?: Record<string, string>
  /** The longest wait for one server to answer, in ms. Default 10,000 */
  readonly startTimeoutMs?: number
}

/** Options of `startRedis`. */
export interface StartRedisOptions extends ServerProgram {
  /** More arguments of the server, such as `['--maxmemory', '64mb']`; they win over ours. Default none */
  readonly args?: readonly string[]
  /** Keeps an append-only file, so that data outlives `restart()`. Default false: nothing is written to disk */
  readonly appendOnly?: boolean
}

/** A private Redis server on 127.0.0.1. */
export interface RedisServer {
  readonly host: '127.0.0.1'
  /** The same for the whole life of this object. */
  readonly port: number
  /** `redis://127.0.0.1:port` */
  readonly url: string
  /** Of the process that runs now, or ran last. */
  readonly pid: number
  /** False after `kill()` or `stop()`, or when the server died. */
  readonly running: boolean
  /** True between `pause()` and `resume()`. */
  readonly paused: boolean
  /** Ends the server for good and removes its files. Calling it twice is harmless. */
  stop(): Promise<void>
  /** Kills the server as a crash would (SIGKILL); `restart()` brings it back. Resolves when it is gone. */
  kill(): Promise<void>
  /** Freezes the server (SIGSTOP): connections stay open, new ones are accepted by the kernel, nothing is answered. */
  pause(): void
  /** Ends `pause()` (SIGCONT): what came meanwhile is served now. */
  resume(): void
  /** Kills the server if it runs and starts it again on the same port; empty, unless it is `appendOnly`. */
  restart(): Promise<void>
  /** Sends one command over a connection of its own. @throws {ErrorReply} the server refused it */
  command(...args: (string | number)[]): Promise<Reply>
  /** The last lines of the server's log. */
  log(): string
}

const BIND_ATTEMPTS = 5

/**
 * Starts a private Redis on a free port of 127.0.0.1, and resolves when it answers. It ends with this process,
 * even if that is killed by SIGKILL, and does not keep it alive.
 *
 * @throws {Error} the server ended or did not answer within `startTimeoutMs`; the message holds its last log lines
 */
export function startRedis(options: StartRedisOptions): Promise<RedisServer> {
  const { args = [], appendOnly = false } = options
  return startServer(options, (port, folder) => {
    const settings = {
      port,
      bind: '127.0.0.1',
      dir: folder,
      save: '',
      appendonly: appendOnly ? 'yes' : 'no',
      // A replica that asks for a copy gets it now, not after the 5 s in which another might ask too.
      'repl-diskless-sync': 'yes',
      'repl-diskless-sync-delay': 0,
    }
    return [...flags(settings), ...args]
  })
}

/** Settings as arguments: `--name value`. */
export function flags(settings: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`])
}

/** @param argsFor  the arguments for a port and a working folder; called once for each port that is tried */
export async function startServer(
  program: ServerProgram,
  argsFor: (port: number, folder: string) => readonly string[],
): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'scale-redis-'))
  const log = join(folder, 'server.log')
  try {
    for (let attempt = 1; ; attempt++) {
      const port = await freePort()
      const args = argsFor(port, folder)
      const launchAgain = (): Promise<ServerProcess> => launch(program, args, port, folder, log)
      try {
        return redisServer(await launchAgain(), launchAgain, port, folder, log)
      } catch (error) {
        const taken = lastLines(log).includes('Address already in use')
        if (!taken || attempt === BIND_ATTEMPTS) throw error
      }
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

function redisServer(
  first: ServerProcess,
  launchAgain: () => Promise<ServerProcess>,
  port: number,
  folder: string,
  log: string,
): RedisServer {
  let current = first
  let paused = false
  return {
    host: '127.0.0.1',
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return current.pid
    },
    get running() {
      return current.ending === null
    },
    get paused() {
      return paused && current.ending === null
    },
    stop: async () => {
      await current.kill()
      await rm(folder, { recursive: true, force: true })
    },
    kill: () => current.kill(),
    pause: () => {
      paused = true
      current.signal('SIGSTOP')
    },
    resume: () => {
      paused = false
      current.signal('SIGCONT')
    },
    restart: async () => {
      await current.kill()
      paused = false
      current = await launchAgain()
    },
    command: (...args) => sendCommand(port, ...args),
    log: () => lastLines(log),
  }
}

async function launch(
  program: ServerProgram,
  args: readonly string[],
  port: number,
  folder: string,
  log: string,
): Promise<ServerProcess> {
  const { binary, env = {}, startTimeoutMs = 10_000 } = program
  const server = await runServer(binary, args, { env, folder, log })
  try {
    await waitUntil(
      'the first answer',
      startTimeoutMs,
      () => server.ending !== null || answers(port, server.pid),
    )
    if (server.ending !== null) throw new Error(`the server ended with ${server.ending}`)
  } catch (error) {
    await server.kill()
    const message = `${binary} did not start on port ${port}; its log ends:\n${lastLines(log)}`
    throw new Error(message, { cause: error })
  }
  return server
}

/** A server that asks for a password is up; one that still loads its file, or one that took our port, is not. */
async function answers(port: number, pid: number): Promise<boolean> {
  try {
    await sendCommand(port, 'PING')
    return String(await sendCommand(port, 'INFO', 'server')).includes(`process_id:${pid}\r`)
  } catch (error) {
    if (error instanceof ErrorReply) return error.message.startsWith('NOAUTH')
    throw error
  }
}
