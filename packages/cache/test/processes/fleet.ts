import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Order, Report } from './worker.js'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const program = fileURLToPath(new URL('./worker.js', import.meta.url))

/** A process of the fleet, seen from its parent. */
export interface Member {
  readonly child: ChildProcess
  order(order: Order): void
  /** The next report of a kind. */
  next<Kind extends Report['kind']>(kind: Kind): Promise<Extract<Report, { kind: Kind }>>
  onReport(listener: (report: Report) => void): void
  kill(): Promise<void>
}

/** Starts a process, and resolves when it is connected. */
export async function startMember(env: Record<string, string>): Promise<Member> {
  const child = fork(program, {
    cwd: root,
    execArgv: ['--import', 'tsx', '--conditions=@scale/source'],
    env: { ...process.env, ...env },
  })
  const member: Member = {
    child,
    order: (order) => child.send(order),
    next: (kind) =>
      new Promise((resolve, reject) => {
        child.on('message', (report: Report) => {
          if (report.kind === kind) resolve(report as never)
        })
        child.once('exit', (code, signal) => reject(new Error(`a process ended by ${signal ?? code}`)))
      }),
    onReport: (listener) => child.on('message', listener),
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
  await member.next('ready')
  return member
}
