import { durationMs, integer, resolveOptions } from '@scale/core'
import type { LifecycleRegistry, LifecycleResource } from './lifecycle.js'

type Check = NonNullable<LifecycleResource['check']>

/** How dependencies are watched. */
export interface HealthOptions {
  /** How often each check runs; a probe is answered from the last result, so probes cannot load a dependency. Default 1,000 */
  intervalMs?: number
  /** How long one check may take. Default 1,000 */
  timeoutMs?: number
  /** Consecutive failures until a dependency counts as down; one success brings it back. Default 2 */
  failureThreshold?: number
}

/** What holds where `health` says nothing. */
export const healthDefaults: Readonly<Required<HealthOptions>> = Object.freeze({
  intervalMs: 1_000,
  timeoutMs: 1_000,
  failureThreshold: 2,
})

/** @throws {InvalidOption} */
export function resolveHealth(given: HealthOptions | undefined): Required<HealthOptions> {
  return resolveOptions('runCluster: health', given, {
    checks: { intervalMs: durationMs(), timeoutMs: durationMs(), failureThreshold: integer(1) },
    defaults: healthDefaults,
  })
}

/** One dependency as `/readyz` shows it. */
export interface CheckState {
  name: string
  ok: boolean
  required: boolean
  /** Why not, while it is down: the code of what the check threw, or its name. Never its message, which may hold a secret. */
  error?: string
}

/** What every process depends on: the name of its own check, which is reported once it has failed. */
const SERVER = 'listening server'

interface State {
  ok: boolean
  wasDown?: boolean
  failures: number
  running: boolean
  error?: string
}

/**
 * Runs the checks of all resources on its own clock: one at a time each, with a time limit, and with hysteresis.
 */
export class HealthMonitor {
  private readonly states = new Map<string, State>([[SERVER, { ok: true, failures: 0, running: false }]])
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly lifecycle: LifecycleRegistry,
    private readonly options: Required<HealthOptions>,
    /** Whether the app's servers listen: it may have closed one. */
    private readonly isListening: () => boolean,
    private readonly onChange: () => void,
  ) {}

  /** True while every required dependency is up. */
  get ok(): boolean {
    return this.report().every(({ ok, required }) => ok || !required)
  }

  report(): CheckState[] {
    return this.checks.flatMap(({ name, required }) => {
      const state = this.states.get(name)
      if (name === SERVER && !state?.wasDown) return []
      return [{ name, required, ok: state?.ok ?? false, ...errorOf(state) }]
    })
  }

  /** Checks until every required dependency has been up once, then goes on checking. Ends by `signal`. */
  async start(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.runAll(1)
      if (this.ok || signal.aborted) break
      await new Promise((resolve) => setTimeout(resolve, Math.min(100, this.options.intervalMs)))
    }
    this.timer = setInterval(() => this.runAll(this.options.failureThreshold), this.options.intervalMs)
    this.timer.unref()
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private get checks(): readonly { name: string; required: boolean; check: Check }[] {
    const own = { name: SERVER, required: true, check: () => this.checkServer() }
    return [...this.lifecycle.checked.map((entry) => ({ ...entry, check: entry.check! })), own]
  }

  private checkServer(): void {
    if (!this.isListening())
      throw Object.assign(new Error('it is closed'), { code: 'ERR_SERVER_NOT_RUNNING' })
  }

  private async runAll(threshold: number): Promise<void> {
    await Promise.all(this.checks.map(({ name, check }) => this.run(name, check, threshold)))
  }

  private async run(name: string, check: Check, threshold: number): Promise<void> {
    const known = this.states.get(name)
    const state: State = known ?? { ok: false, failures: 0, running: false }
    this.states.set(name, state)
    // A check that outlived its time is not started again; it fails until it comes back.
    const passed = !state.running && (await this.passes(check, state))
    state.failures = passed ? 0 : state.failures + 1
    const ok = passed || (state.ok && state.failures < threshold)
    // The first result is told, too: a start that waits says what for.
    if (ok === state.ok && known !== undefined) return
    state.ok = ok
    state.wasDown ||= !ok
    this.onChange()
  }

  private async passes(check: Check, state: State): Promise<boolean> {
    const controller = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<false>((resolve) => {
      timer = setTimeout(() => {
        state.error = 'timeout'
        resolve(false)
      }, this.options.timeoutMs)
    })
    state.running = true
    const answer = (async () => (await check({ signal: controller.signal })) !== false)()
      .then((passed) => {
        if (!passed) state.error = 'returned false'
        return passed
      })
      .catch((error: NodeJS.ErrnoException | undefined) => {
        state.error = String(error?.code ?? error?.name ?? 'rejected')
        return false
      })
      .finally(() => {
        state.running = false
      })
    try {
      return await Promise.race([answer, timeout])
    } finally {
      clearTimeout(timer)
      controller.abort()
    }
  }
}

function errorOf(state: State | undefined): { error?: string } {
  return state === undefined || state.ok || state.error === undefined ? {} : { error: state.error }
}
