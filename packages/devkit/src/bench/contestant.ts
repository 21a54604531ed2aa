import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { root } from '../workspace.js'
import type { Order, Report } from './process.js'

const program = fileURLToPath(new URL('process.ts', import.meta.url))
const tsx = pathToFileURL(createRequire(join(root, 'package.json')).resolve('tsx')).href

/** A variant that runs in a process of its own. */
export class Contestant {
  /** Where it listens, if it is a server. */
  readonly port: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  /**
   * @param module    URL of the module that exports `variants`
   * @param redisUrl  what the variant is told
   * @param options.sources  run on the sources of the packages: not for measuring, what runs TypeScript as it is adds to
   *   each call what no user pays. Default false
   * @throws {Error} it ended before it was ready; what it said is on standard error
   */
  static async start(
    module: string,
    name: string,
    redisUrl: string,
    { sources = false }: { sources?: boolean } = {},
  ): Promise<Contestant> {
    const child = fork(program, [module, name], {
      execArgv: ['--expose-gc', '--import', tsx, ...(sources ? ['--conditions=@scale/source'] : [])],
      env: { ...process.env, NODE_ENV: 'production', BENCH_REDIS_URL: redisUrl },
      // What a logger writes is read and thrown away.
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    })
    child.stdout!.resume()
    const { port = 0 } = await nextReport(child, name)
    return new Contestant(child, port)
  }

  /** CPU time of the process so far, in µs. */
  async cpuMicros(): Promise<number> {
    return (await this.#order({ kind: 'cpu' })).cpuMicros!
  }

  /** CPU time of so many calls, in µs. */
  async callMicros(calls: number, atOnce: number): Promise<number> {
    return (await this.#order({ kind: 'call', calls, atOnce })).cpuMicros!
  }

  /** What the variant's `asked` says. */
  async ask(question: unknown): Promise<unknown> {
    return (await this.#order({ kind: 'ask', question })).answer
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  #order(order: Order): Promise<Report> {
    const report = nextReport(this.#child, order.kind)
    this.#child.send(order)
    return report
  }
}

function nextReport(child: ChildProcess, what: string): Promise<Report> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`${what}: the process ended with ${code}`))
    child.once('exit', onExit)
    child.once('message', (report: Report) => {
      child.off('exit', onExit)
      if (report.error === undefined) resolve(report)
      else reject(new Error(`${what}: ${report.error}`))
    })
  })
}
