import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { unpackDebianPackages } from '@scale/devkit/debian'
import { buildFolder, bundle } from '../test/bundle.js'

/** The bench app, compiled once. */
export const app: Promise<string> = bundle('bench/app.ts', mkdtempSync(join(buildFolder(), 'bench-')))

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts the bench app as one contestant. */
export async function startContestant(
  contestant: string,
  env: Record<string, string>,
  node: string = process.execPath,
): Promise<ChildProcess> {
  const child = spawn(node, [await app], {
    env: { ...process.env, ...env, CONTESTANT: contestant },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${contestant} ended:\n${said}`)
  })
  // Later it ends because it is told to.
  ended.catch(() => {})
  await Promise.race([untilAnswered(Number(env.PORT)), ended])
  return child
}

export async function untilAnswered(port: number): Promise<void> {
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isOpen) return
    await sleep(20)
  }
}

export async function stop(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
}

/** Processes whose parent is `pid`. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => statOf(candidate)?.parent === pid)
}

/** CPU time of a process and its children so far, in ms. */
export function cpuMs(pid: number): number {
  const own = statOf(pid)?.cpuMs ?? 0
  return own + childrenOf(pid).reduce((sum, child) => sum + (statOf(child)?.cpuMs ?? 0), 0)
}

const TICK_MS = 10

function statOf(pid: number): { parent: number; cpuMs: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { parent: Number(fields[1]), cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS }
  } catch {
    // It ended while we looked.
    return undefined
  }
}

/** What wrk saw. */
interface WrkResult {
  requests: number
  requestsPerSecond: number
  socketErrors: string
  non2xx: number
}

/** Runs wrk from Debian beside this process. */
export async function wrk(
  url: string,
  seconds: number,
  connections: number,
  args: string[] = [],
): Promise<WrkResult> {
  const unpacked = await unpackDebianPackages(['wrk'])
  const child = spawn(unpacked.program('wrk')!, ['-t1', `-c${connections}`, `-d${seconds}s`, ...args, url], {
    env: { ...process.env, ...unpacked.env },
  })
  let text = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0)
  return {
    requests: number(/(\d+) requests in/),
    requestsPerSecond: number(/Requests\/sec:\s*([\d.]+)/),
    socketErrors: /Socket errors: (.*)/.exec(text)?.[1] ?? '0',
    non2xx: number(/Non-2xx or 3xx responses: (\d+)/),
  }
}

/** Runs a command of pm2 with a home of its own. */
export function pm2(home: string, args: string[], env: Record<string, string> = {}): string {
  const bin = new URL('../node_modules/pm2/bin/pm2', import.meta.url).pathname
  return execFileSync(process.execPath, [bin, ...args], {
    env: { ...process.env, ...env, PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: 'true' },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
