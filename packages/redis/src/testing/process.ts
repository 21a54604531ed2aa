import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** A child process that does not outlive this one. */
export interface ServerProcess {
  readonly pid: number
  /** Null while it runs; afterwards its exit code or the name of the signal that ended it. */
  readonly ending: number | string | null
  signal(name: NodeJS.Signals): void
  /** Ends it by SIGKILL, and resolves when it is gone. */
  kill(): Promise<void>
}

/**
 * Runs a server in a process group of its own, so that Ctrl-C in a terminal reaches only this process, which decides.
 * It is killed when this process ends, in whatever way, and does not keep it alive.
 *
 * @param folder  the server's working folder, removed if this process ends first
 * @param log     file that takes what the server prints
 * @throws {Error} the program cannot be run
 */
export async function runServer(
  binary: string,
  args: readonly string[],
  options: { env: Record<string, string>; folder: string; log: string },
): Promise<ServerProcess> {
  const log = openSync(options.log, 'a')
  // A path is meant from here, not from the server's folder.
  const program = binary.includes('/') ? resolve(binary) : binary
  const child = spawn(program, args, {
    cwd: options.folder,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  const exited = new Promise((settle) => child.once('exit', settle))
  await once(child, 'spawn')
  const pid = child.pid!
  const guardian = killWhenThisProcessEnds(pid, options.folder)
  child.once('exit', () => guardian.kill('SIGKILL'))
  child.unref()
  return {
    pid,
    get ending() {
      return child.exitCode ?? child.signalCode
    },
    signal: (name) => {
      child.kill(name)
    },
    kill: async () => {
      child.ref()
      child.kill('SIGKILL')
      await exited
    },
  }
}

/**
 * No exit hook runs when a process is killed by SIGKILL. But its end of a pipe is closed then, and a shell that
 * waits at the other end wakes up.
 */
function killWhenThisProcessEnds(pid: number, folder: string): ChildProcess {
  const script = 'read -r _; kill -KILL "$1"; rm -rf "$2"'
  const guardian = spawn('/bin/sh', ['-c', script, 'sh', String(pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guardian.unref()
  // The far end is gone once the server has exited by itself.
  guardian.stdin.on('error', () => {})
  ;(guardian.stdin as unknown as { unref(): void }).unref()
  return guardian
}

/** The end of a server's log, for messages. */
export function lastLines(log: string, count = 12): string {
  try {
    return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-count).join('\n')
  } catch {
    return '(no log)'
  }
}
