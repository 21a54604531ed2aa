import { boolean, durationMs, func, InvalidOption, oneOf, resolveOptions } from '@scale/core'

/** The order of the end: who takes work in, who does it, where it is kept, who tells of it. */
export const phases = ['traffic', 'work', 'data', 'telemetry', 'logs'] as const

/** When a resource stops; those of one phase stop in reverse order of `add`. */
export type Phase = (typeof phases)[number]

/** Something that lives as long as the process: a client, a pool, a queue consumer. */
export interface LifecycleResource {
  /** When it stops. Default `'data'` */
  phase?: Phase
  /** Called at once by `add`. */
  start?: () => unknown
  /** Called once at the end, after connections are drained; `signal` aborts when its time is over. */
  stop?: (context: { signal: AbortSignal }) => unknown
  /** Rejects, or throws, or returns `false`, while the resource cannot be used. Called about once a second. */
  check?: (context: { signal: AbortSignal }) => unknown
  /** Whether a failing check makes this copy not ready; if not, `/readyz` only reports it. Default true */
  required?: boolean
  /** How long `stop` may take, within what is left of the total. Default 5,000 */
  stopTimeoutMs?: number
}

/** Where the clients of other packages take part in start, readiness and end, without knowing this package. */
export interface Lifecycle {
  /**
   * Adds a resource and starts it.
   *
   * @param name  unique in this process; appears on `/readyz` and in the report of the end
   * @throws {InvalidOption} the name is taken, or an option is wrong
   */
  add(name: string, resource: LifecycleResource): Promise<void>
  /** Aborted when the drain begins: take no new work from queues, end what is endless. */
  readonly draining: AbortSignal
}

/** One `stop` that did not end well. */
export interface FailedHook {
  name: string
  phase: Phase
  reason: 'timeout' | 'error'
  error?: unknown
}

/** How the hooks went, in the order they ran. */
export interface StopReport {
  ran: { name: string; phase: Phase; tookMs: number }[]
  failed: FailedHook[]
}

type Defaults = Required<Pick<LifecycleResource, 'phase' | 'required' | 'stopTimeoutMs'>>

const defaults: Readonly<Defaults> = Object.freeze({ phase: 'data', required: true, stopTimeoutMs: 5_000 })

type Entry = { name: string } & Omit<LifecycleResource, keyof Defaults> & Defaults

/** The registry behind `Lifecycle`. */
export class LifecycleRegistry implements Lifecycle {
  private readonly entries: Entry[] = []
  private readonly drainStart = new AbortController()

  get draining(): AbortSignal {
    return this.drainStart.signal
  }

  /** Resources with a check, in order of `add`. */
  get checked(): readonly Entry[] {
    return this.entries.filter((entry) => entry.check !== undefined)
  }

  async add(name: string, resource: LifecycleResource): Promise<void> {
    if (typeof name !== 'string' || name === '' || this.entries.some((entry) => entry.name === name)) {
      throw new InvalidOption('lifecycle.add: the first argument must be a name that is not taken.')
    }
    const entry = {
      name,
      ...resolveOptions(`lifecycle.add('${name}')`, resource, {
        checks: {
          phase: oneOf(...phases),
          start: func,
          stop: func,
          check: func,
          required: boolean,
          stopTimeoutMs: durationMs(),
        },
        defaults,
      }),
    }
    // Before `start`: what fails half-way may still have something to stop.
    this.entries.push(entry)
    await entry.start?.()
  }

  /** Aborts `draining`. */
  beginDrain(): void {
    this.drainStart.abort()
  }

  /** Runs every `stop`, one after the other, phase by phase; none is left out because another failed. */
  async stop(budgetMs: number): Promise<StopReport> {
    const deadline = performance.now() + budgetMs
    const report: StopReport = { ran: [], failed: [] }
    for (const entry of phases.flatMap((phase) => this.entries.filter((e) => e.phase === phase).reverse())) {
      if (entry.stop === undefined) continue
      const startedAt = performance.now()
      const failure = await stopOne(entry, Math.max(1, Math.min(entry.stopTimeoutMs, deadline - startedAt)))
      report.ran.push({ name: entry.name, phase: entry.phase, tookMs: performance.now() - startedAt })
      if (failure !== undefined) report.failed.push({ name: entry.name, phase: entry.phase, ...failure })
    }
    this.entries.length = 0
    return report
  }
}

async function stopOne(
  { stop }: Entry,
  timeoutMs: number,
): Promise<{ reason: 'timeout' | 'error'; error?: unknown } | undefined> {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<'timeout'>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, 'timeout')
  })
  try {
    const winner = await Promise.race([Promise.resolve(stop?.({ signal: controller.signal })), timeout])
    if (winner !== 'timeout') return undefined
    controller.abort()
    return { reason: 'timeout' }
  } catch (error) {
    return { reason: 'error', error }
  } finally {
    clearTimeout(timer)
  }
}
