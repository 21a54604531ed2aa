import type { Emit } from '../events.js'
import type { ResolvedClusterOptions } from '../options.js'
import { exitCodes } from '../process/exit-codes.js'
import { pauseAfter } from './crash-policy.js'
import type { Exit, Member } from './member.js'
import { back, held, respawned } from './narration.js'
import { jittered, RecycleFloor, recycleDefaults } from './recycle.js'

/** Where a place is in its life; see `Place`. */
export type PlaceState = 'waiting' | 'booting' | 'serving' | 'replacing' | 'closed'

/** What a place asks of the supervisor. */
export interface PlaceHooks {
  /** @returns a member even if its process could not be started: then one that has ended */
  fork(place: Place, isCanary: boolean): Member
  emit: Emit
  onReady(): void
  onExit(member: Member, exit: Exit): void
  /** One more failure was counted. @returns whether all is given up */
  onFailure(exit: Exit): boolean
  /** Resolves when there is memory for one process more. */
  room(): Promise<void>
}

/** How a worker has failed that has not ended yet. */
const FAILING: Exit = { code: exitCodes.uncaught, signal: null }

/**
 * A place that should always have one ready worker, and what happens in it:
 *
 * ```
 *    ┌───────────────── the pause is over ──────────────────┐
 *    │                                                      │
 * waiting ◀── failed: a pause, longer with each in a row ── booting ── ready ──▶ serving ◀───────────────┐
 *    ▲                                                                          │  │                     │
 *    ├────────── crashed: the same ─────────────────────────────────────────────┘  │ replace             │
 *    │                                                                             ▼                     │
 *    └────────── both failed ────────────────────────────────────────────────── replacing ───────────────┘
 *                                                           the new one lasts, and the old one is told to go,
 * any ── taken away, or all end ──▶ closed                  or it fails, and the old one serves on
 * ```
 *
 * A place that waits has a timer: it is never empty for good. Who is told to go drains beside whatever follows, one at a time in each place.
 */
export class Place {
  /** In a row, of whatever kind and whatever time each attempt took. */
  failures = 0
  wasReady = false
  /** Its breaker is open: it failed too often. */
  isHeld = false
  /** A replacement waits for its turn. */
  isRetiring = false
  limits: ReturnType<typeof jittered> = {}
  readonly floor: RecycleFloor
  private served: Member | undefined
  private successor: Member | undefined
  private leaving: Promise<unknown> = Promise.resolve()
  private timer: NodeJS.Timeout | undefined
  private isClosed = false

  constructor(
    readonly id: number,
    private readonly options: ResolvedClusterOptions,
    private readonly hooks: PlaceHooks,
  ) {
    this.floor = new RecycleFloor(options.recycle.minAgeMs ?? recycleDefaults.minAgeMs)
  }

  get state(): PlaceState {
    if (this.isClosed) return 'closed'
    if (this.successor !== undefined) return 'replacing'
    if (this.served !== undefined) return this.served.wasReady ? 'serving' : 'booting'
    return 'waiting'
  }

  /** Whoever serves here, or will when it has booted. */
  get current(): Member | undefined {
    return this.served
  }

  /** When it will be filled again is settled. */
  get hasTimer(): boolean {
    return this.timer !== undefined
  }

  /** Resolves when who served here before has ended. */
  get left(): Promise<unknown> {
    return this.leaving
  }

  /** Starts a worker, if nobody is here. */
  fill(): void {
    this.cancelTimer()
    if (this.state === 'waiting') this.served = this.start(false)
  }

  /** Its worker goes because it was asked to, not by the primary: another comes at once. */
  vacate(member: Member): void {
    if (this.served !== member) return
    this.served = undefined
    this.fill()
  }

  /** Its worker is gone, or going, without being asked. */
  lose(member: Member, exit: Exit = FAILING): void {
    if (this.served !== member) return
    this.served = undefined
    this.fail(member, exit)
  }

  /**
   * Puts a new worker here: forked, ready, held for `canaryMs`, and only then is the old one told to go. How long its clients take
   * does not hold up who calls; `left` says when it has ended.
   *
   * @throws {Error} the new one failed; the old one serves on
   */
  async replace(canaryMs: number): Promise<void> {
    await this.leaving
    await this.hooks.room()
    if (this.isClosed) throw new Error('the cluster is stopping')
    this.cancelTimer()
    const next = this.start(true)
    this.successor = next
    try {
      await next.ready
      await lasts(next, canaryMs)
    } catch (error) {
      this.successor = undefined
      // When all end, this one drains with the others. It may have clients: it is not cut.
      this.leaving = this.isClosed ? next.exited : next.drain(0, this.options.drain.timeoutMs)
      if (this.state === 'waiting') this.fail(next, FAILING)
      throw error
    }
    const old = this.served
    this.served = next
    this.successor = undefined
    next.enter('ready')
    // A worker that failed by itself meanwhile is already on its way out.
    this.leaving = old?.drain(0, this.options.drain.timeoutMs) ?? Promise.resolve()
  }

  /** Nothing is started here any more. */
  close(): void {
    this.isClosed = true
    this.cancelTimer()
  }

  private start(isCanary: boolean): Member {
    this.limits = jittered(this.options.recycle)
    const member = this.hooks.fork(this, isCanary)
    member.ready.then(
      () => this.onReady(member),
      () => {},
    )
    void member.exited.then((exit) => {
      this.hooks.onExit(member, exit)
      this.lose(member, exit)
    })
    return member
  }

  private onReady(member: Member): void {
    this.wasReady = true
    const timer = setTimeout(() => {
      if (this.served === member && member.state === 'ready') this.failures = 0
    }, this.options.respawn.resetAfterMs).unref()
    // It would hold what is gone.
    void member.exited.then(() => clearTimeout(timer))
    if (this.isHeld) {
      this.isHeld = false
      this.hooks.emit(back(this.id))
    }
    this.hooks.onReady()
  }

  /** One more failure: it is filled again after a while, unless the app cannot start at all. */
  private fail(member: Member, exit: Exit): void {
    if (this.isClosed) return
    this.failures++
    if (this.hooks.onFailure(exit)) return
    const { delayMs, isHeld } = pauseAfter(
      { ...this.options.respawn, ...this.options.breaker },
      this.failures,
    )
    if (isHeld && !this.isHeld) {
      this.isHeld = true
      this.hooks.emit(held(this.id, delayMs))
    }
    this.hooks.emit(respawned(member, this.failures, delayMs))
    // A replacement that is on its way takes the place.
    if (this.state === 'waiting') this.timer = setTimeout(() => this.fill(), delayMs)
  }

  private cancelTimer(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }
}

/** Rejects if a new worker does not stay ready and healthy for so long. */
async function lasts(member: Member, canaryMs: number): Promise<void> {
  const until = performance.now() + canaryMs
  for (;;) {
    if (member.state !== 'canary') throw new Error(`worker ${member.placeId} did not last as a canary`)
    if (!member.healthy) throw new Error(`worker ${member.placeId} lost a dependency as a canary`)
    const left = until - performance.now()
    if (left <= 0) return
    await Promise.race([member.exited, new Promise((resolve) => setTimeout(resolve, Math.min(50, left)))])
  }
}
