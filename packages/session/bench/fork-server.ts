import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** A server in a process of its own, which tells its port first. */
export interface ForkedServer {
  readonly port: number
  /** What it answers to a message; one at a time. */
  ask(): Promise<unknown>
  stop(): Promise<void>
}

/** Starts a program of sources. @throws {Error} it ended before it listened */
export async function forkServer(file: URL, env: Readonly<Record<string, string>>): Promise<ForkedServer> {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  const child = fork(fileURLToPath(file), {
    execArgv: ['--import', tsx, '--conditions=@scale/source'],
    env: { ...process.env, ...env },
  })
  const { port } = (await nextMessage(child)) as { port: number }
  return {
    port,
    ask: () => {
      const answer = nextMessage(child)
      child.send('')
      return answer
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a server ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.off('exit', ended)
      resolve(message)
    })
  })
}
