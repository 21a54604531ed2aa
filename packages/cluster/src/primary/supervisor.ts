import type { Emit } from '../events.js'
import type { FromWorker } from '../messages.js'
import type { ResolvedClusterOptions } from '../options.js'
import { exitCodes } from '../process/exit-codes.js'
import { workerIdVariable, workersVariable } from '../worker/worker.js'
import { cannotStart, pauseAfter } from './crash-policy.js'
import { Distribution } from './distribution.js'
import { type Exit, Member } from './member.js'
import {
  back,
  beat,
  changed,
  checked,
  drained,
  exited,
  held,
  recycled,
  respawned,
  warned,
} from './narration.js'
import { jittered, RecycleFloor, recycleDefaults, recycleReason } from './recycle.js'
import { watch } from './watchdog.js'

/** A place that should always have one ready worker. */
export interface Slot {
  readonly id: number
  /** In a row, whatever time each attempt took. */
  failures: number
  wasReady: boolean
  /** Who serves here. */
  current?: Member | undefined
  /** Who will serve here once it has proved itself. */
  next?: Member | undefined
  /** Resolves when who served here before has ended: a place has one on its way out at a time. */
  left: Promise<unknown>
  /** Its breaker is open: it failed too often. */
  isHeld: boolean
  limits: ReturnType<typeof jittered>
  readonly floor: RecycleFloor
  /** A replacement waits for its turn. */
  replacing: boolean
  respawnTimer?: NodeJS.Timeout
}

/** How long after a failed replacement a worker may be replaced again. */
const RETRY_REPLACEMENT_MS = 60_000

/**
 * Keeps every slot filled: forks, counts crashes, replaces workers one at a time with the new one ready before
 * the old one drains.
 */
export class Supervisor {
  readonly slots: Slot[] = []
  /** Every process that has not ended, draining ones included. */
  readonly members: Set<Member> = new Set()
  /** Resolves when every slot has had a ready worker; then the first boot is over. */
  readonly booted: Promise<void>
  isBooted: boolean = false
  readonly distribution: Distribution
  private readonly stopWatching: () => void
  private stopping = false
  private turn: Promise<unknown> = Promise.resolve()
  private onBooted: () => void = () => {}

  constructor(
    private readonly options: ResolvedClusterOptions,
    private readonly env: Record<string, string>,
    /** What all processes together may use, as far as there is a limit. */
    private readonly memoryBytes: number | undefined,
    private readonly emit: Emit,
    /** The app cannot start at all. */
    private readonly onGiveUp: (code: number) => void,
    /** Something changed that readiness is made of. */
    private readonly onChange: () => void,
  ) {
    this.distribution = new Distribution(options.sticky, () =>
      emit(
        warned(
          0,
          `Node ${process.version} distributes connections by itself, also to workers that are not ready`,
        ),
      ),
    )
    this.booted = new Promise((resolve) => {
      this.onBooted = resolve
    })
    this.stopWatching = watch(this.members, options.watchdog.timeoutMs, (member) =>
      member.kill(`was silent for ${options.watchdog.timeoutMs} ms`),
    )
  }

  /** Adds slots and forks their workers. */
  addSlots(count: number): void {
    const lastId = this.slots.at(-1)?.id ?? 0
    const added = Array.from(
      { length: count },
      (_, index): Slot => ({
        id: lastId + 1 + index,
        failures: 0,
        wasReady: false,
        left: Promise.resolve(),
        isHeld: false,
        limits: {},
        floor: new RecycleFloor(this.options.recycle.minAgeMs ?? recycleDefaults.minAgeMs),
        replacing: false,
      }),
    )
    this.slots.push(...added)
    for (const slot of added) slot.current = this.fork(slot)
  }

  /** Takes away the last slots and drains their workers. */
  async removeSlots(count: number): Promise<void> {
    const removed = this.slots.splice(this.slots.length - count)
    for (const { respawnTimer } of removed) clearTimeout(respawnTimer)
    await Promise.all(removed.map(({ current }) => current?.drain(0, this.options.drain.timeoutMs)))
  }

  /** Starts nothing from now on. */
  halt(): void {
    this.stopping = true
    this.stopWatching()
    for (const slot of this.slots) clearTimeout(slot.respawnTimer)
  }

  /** One change to the set of workers at a time: reloads, recycling and scaling wait for one another. */
  inTurn<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = this.turn.then(change)
    this.turn = result.catch(() => {})
    return result
  }

  /**
   * Puts a new worker in a slot: forked, ready, held for `canaryMs`, and only then is the old one told to go. How long its clients
   * take does not hold up the next slot; `left` of the slot says when it has ended.
   *
   * @throws {Error} the new one failed; it is gone and the old one serves on
   */
  async replace(slot: Slot, canaryMs: number): Promise<void> {
    await slot.left
    await this.untilOneMoreFits()
    if (this.stopping) throw new Error('the cluster is stopping')
    clearTimeout(slot.respawnTimer)
    const next = this.fork(slot, true)
    slot.next = next
    try {
      await next.ready
      await lasts(next, canaryMs)
    } catch (error) {
      slot.next = undefined
      // When all stop, this one drains with the others. It may have clients: it is not cut.
      if (!this.stopping) await next.drain(0, this.options.drain.timeoutMs)
      else await next.exited
      if (slot.current === undefined) this.fail(slot, next, await next.exited)
      throw error
    }
    const old = slot.current
    slot.current = next
    slot.next = undefined
    next.enter('ready')
    // A worker that failed by itself meanwhile is already on its way out.
    slot.left = old?.drain(0, this.options.drain.timeoutMs) ?? Promise.resolve()
  }

  /** Under a memory limit, what is on its way out may have to make room first: it goes by what the workers say of their size. */
  private async untilOneMoreFits(): Promise<void> {
    const { memoryBytes } = this
    if (memoryBytes === undefined) return
    for (;;) {
      const members = [...this.members]
      const leaving = members.filter(({ state }) => state === 'draining')
      const largest = Math.max(0, ...members.map(({ heartbeat }) => heartbeat?.rssBytes ?? 0))
      const needed = members.reduce((sum, { heartbeat }) => sum + (heartbeat?.rssBytes ?? largest), largest)
      if (leaving.length === 0 || needed <= memoryBytes) return
      await Promise.race(leaving.map(({ exited }) => exited))
    }
  }

  private fork(slot: Slot, isCanary = false): Member {
    slot.limits = jittered(this.options.recycle)
    const member = new Member(
      slot.id,
      { ...this.env, [workerIdVariable]: slot.id, [workersVariable]: this.slots.length },
      {
        bootTimeoutMs: this.options.bootTimeoutMs,
        isCanary,
        onState: (member) => this.onState(member),
        onMessage: (member, message) => this.onMessage(slot, member, message),
      },
    )
    this.members.add(member)
    this.distribution.add(member)
    this.onState(member)
    void member.ready.then(
      () => this.onReady(slot, member),
      () => {},
    )
    void member.exited.then((exit) => this.onExit(slot, member, exit))
    return member
  }

  private onReady(slot: Slot, member: Member): void {
    slot.wasReady = true
    setTimeout(() => {
      if (slot.current === member && member.state === 'ready') slot.failures = 0
    }, this.options.respawn.resetAfterMs).unref()
    if (slot.isHeld) {
      slot.isHeld = false
      this.emit(back(slot.id))
    }
    if (this.isBooted || !this.slots.every(({ current }) => current?.wasReady)) return
    this.isBooted = true
    this.onChange()
    this.onBooted()
  }

  private onMessage(slot: Slot, member: Member, message: FromWorker): void {
    switch (message.type) {
      case 'heartbeat': {
        const { heartbeat } = message
        this.emit(beat(slot.id, heartbeat))
        const ageMs = Date.now() - member.startedAt
        const reason = recycleReason(slot.limits, heartbeat, ageMs, slot.floor.ageMs)
        if (reason === undefined || member.state !== 'ready' || !this.retire(slot, member, reason)) break
        if (reason !== 'age' && slot.floor.recycledAt(ageMs)) {
          this.emit(
            warned(slot.id, `reached its limit of ${reason} early; the next one has ${slot.floor.ageMs} ms`),
          )
        }
        break
      }
      case 'ready':
      case 'health':
        for (const event of checked(slot.id, member.told, message.checks)) this.emit(event)
        member.told = message.checks
        this.distribution.update()
        this.onChange()
        break
      case 'stop-asked':
        this.retire(slot, member, message.reason)
        break
      case 'leaving':
        member.killAfter(this.options.drain.timeoutMs)
        this.emit(recycled(slot.id, message.reason))
        if (slot.current === member) this.vacate(slot)
        break
      case 'failing':
        member.killAfter(this.options.drain.timeoutMs)
        if (slot.current === member) this.onCrash(slot, member, { code: exitCodes.uncaught, signal: null })
        break
      case 'warning':
        this.emit(warned(slot.id, message.message))
        break
      case 'drained':
        this.emit(drained(slot.id, message.report))
    }
  }

  /** Replaces a worker that is well, for a reason, when it is its turn. */
  private retire(slot: Slot, member: Member, reason: string): boolean {
    if (slot.replacing || this.stopping || slot.current !== member) return false
    slot.replacing = true
    this.emit(recycled(slot.id, reason))
    this.inTurn(async () => {
      // What waited for its turn may have been overtaken by a reload or a crash.
      if (slot.current === member && this.slots.includes(slot)) await this.replace(slot, 0)
    }).then(
      () => {
        slot.replacing = false
      },
      (error: Error) => {
        this.emit(warned(slot.id, `the old one is kept: ${error.message}`))
        setTimeout(() => {
          slot.replacing = false
        }, RETRY_REPLACEMENT_MS).unref()
      },
    )
    return true
  }

  private onExit(slot: Slot, member: Member, exit: Exit): void {
    this.members.delete(member)
    this.emit(exited(member, exit))
    if (slot.current === member && this.slots.includes(slot)) this.onCrash(slot, member, exit)
  }

  /** The worker of a slot ends because it was asked to, not by the primary: another takes its place at once. */
  private vacate(slot: Slot): void {
    slot.current = undefined
    if (!this.stopping && this.slots.includes(slot) && slot.next === undefined) slot.current = this.fork(slot)
  }

  /** The worker of a slot is gone, or going, without being asked. */
  private onCrash(slot: Slot, member: Member, exit: Exit): void {
    slot.current = undefined
    if (this.stopping) return
    if (!this.isBooted && exit.code === exitCodes.badConfig) {
      this.onGiveUp(exitCodes.badConfig)
      return
    }
    this.fail(slot, member, exit)
  }

  /** One more failure of a place: it is filled again after a while, unless the app cannot start at all. */
  private fail(slot: Slot, member: Member, exit: Exit): void {
    if (this.stopping || !this.slots.includes(slot)) return
    slot.failures++
    if (!this.isBooted && cannotStart(this.slots, this.options.breaker.bootFailures)) {
      this.onGiveUp(exit.code || exitCodes.breakerOpen)
      return
    }
    const { delayMs, isHeld } = pauseAfter(
      { ...this.options.respawn, ...this.options.breaker },
      slot.failures,
    )
    if (isHeld && !slot.isHeld) {
      slot.isHeld = true
      this.emit(held(slot.id, delayMs))
    }
    this.emit(respawned(member, slot.failures, delayMs))
    // A replacement that is on its way takes the place.
    if (slot.next === undefined) this.respawn(slot, delayMs)
  }

  private respawn(slot: Slot, delayMs: number): void {
    slot.respawnTimer = setTimeout(() => {
      if (slot.current === undefined && slot.next === undefined) slot.current = this.fork(slot)
    }, delayMs)
  }

  private onState(member: Member): void {
    this.distribution.update()
    this.onChange()
    // Its end is told with its status.
    if (member.state !== 'exited') this.emit(changed(member))
  }
}

/** Rejects if a new worker does not stay ready and healthy for so long. */
async function lasts(member: Member, canaryMs: number): Promise<void> {
  const until = performance.now() + canaryMs
  for (;;) {
    if (member.state !== 'canary') throw new Error(`worker ${member.slotId} did not last as a canary`)
    if (!member.healthy) throw new Error(`worker ${member.slotId} lost a dependency as a canary`)
    const left = until - performance.now()
    if (left <= 0) return
    await Promise.race([member.exited, new Promise((resolve) => setTimeout(resolve, Math.min(50, left)))])
  }
}
