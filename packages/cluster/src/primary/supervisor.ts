import cluster, { type Worker } from 'node:cluster'
import type { Emit } from '../events.js'
import type { FromWorker } from '../messages.js'
import type { ResolvedClusterOptions } from '../options.js'
import { exitCodes } from '../process/exit-codes.js'
import { workerIdVariable, workersVariable } from '../worker/worker.js'
import { cannotStart } from './crash-policy.js'
import { Distribution } from './distribution.js'
import { type Exit, Member } from './member.js'
import { beat, changed, checked, drained, exited, recycled, warned } from './narration.js'
import { Place, type PlaceHooks } from './place.js'
import { recycleReason } from './recycle.js'
import { watch } from './watchdog.js'

/** How long after a failed replacement a worker may be replaced again. */
const RETRY_REPLACEMENT_MS = 60_000

/** What the supervisor tells the primary. */
export interface SupervisorHooks {
  emit: Emit
  /** The app cannot start at all. */
  onGiveUp(code: number): void
  /** Something changed that readiness is made of. */
  onChange(): void
}

/** Starts a process. @throws if the system has no room for it, or the binary is gone */
export type Fork = (env: Record<string, string | number>) => Worker

/** Keeps the places, hears what their workers say, and lets one change at a time be made to the set of them. */
export class Supervisor {
  readonly places: Place[] = []
  /** Every process that has not ended, draining ones included. */
  readonly members: Set<Member> = new Set()
  /** Resolves when every place has had a ready worker; then the first boot is over. */
  readonly booted: Promise<void>
  isBooted: boolean = false
  readonly distribution: Distribution
  private readonly stopWatching: () => void
  private isHalted = false
  private turn: Promise<unknown> = Promise.resolve()
  private onBooted: () => void = () => {}
  private readonly placeHooks: PlaceHooks

  constructor(
    private readonly options: ResolvedClusterOptions,
    private readonly env: Record<string, string>,
    /** What all processes together may use, as far as there is a limit. */
    private readonly memoryBytes: number | undefined,
    private readonly hooks: SupervisorHooks,
    private readonly forkProcess: Fork = (env) => cluster.fork(env),
  ) {
    this.distribution = new Distribution(options.sticky, () =>
      hooks.emit(
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
    this.placeHooks = {
      fork: (place, isCanary) => this.fork(place, isCanary),
      emit: hooks.emit,
      onReady: () => this.lookBooted(),
      onExit: (member, exit) => {
        this.members.delete(member)
        hooks.emit(exited(member, exit))
      },
      onFailure: (exit) => this.givesUp(exit),
      room: () => this.untilOneMoreFits(),
    }
  }

  /** Adds places and fills them. */
  addPlaces(count: number): void {
    const lastId = this.places.at(-1)?.id ?? 0
    const added = Array.from(
      { length: count },
      (_, index) => new Place(lastId + 1 + index, this.options, this.placeHooks),
    )
    this.places.push(...added)
    for (const place of added) place.fill()
  }

  /** Adds places, or takes the last ones away and drains their workers. */
  scale(wanted: (workers: number) => number): Promise<void> {
    return this.inTurn(async () => {
      const { length } = this.places
      const workers = wanted(length)
      if (this.isHalted || workers === length) return
      const message = `${workers} workers instead of ${length}`
      this.hooks.emit({ type: 'scaled', level: 'info', message, workers })
      if (workers > length) this.addPlaces(workers - length)
      else await this.removePlaces(length - workers)
    })
  }

  private async removePlaces(count: number): Promise<void> {
    const removed = this.places.splice(this.places.length - count)
    for (const place of removed) place.close()
    this.lookBooted()
    await Promise.all(removed.map(({ current }) => current?.drain(0, this.options.drain.timeoutMs)))
  }

  /** Starts nothing from now on. */
  halt(): void {
    this.isHalted = true
    this.stopWatching()
    for (const place of this.places) place.close()
  }

  /** One change to the set of workers at a time: reloads, recycling and scaling wait for one another. */
  inTurn<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = this.turn.then(change)
    this.turn = result.catch(() => {})
    return result
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

  private fork(place: Place, isCanary: boolean): Member {
    const env = { ...this.env, [workerIdVariable]: place.id, [workersVariable]: this.places.length }
    const member = new Member(place.id, () => this.forkProcess(env), {
      bootTimeoutMs: this.options.bootTimeoutMs,
      isCanary,
      onState: (member) => this.onState(member),
      onMessage: (member, message) => this.onMessage(place, member, message),
    })
    this.members.add(member)
    this.distribution.add(member)
    this.onState(member)
    return member
  }

  private lookBooted(): void {
    if (this.isBooted || !this.places.every(({ wasReady }) => wasReady)) return
    this.isBooted = true
    this.hooks.onChange()
    this.onBooted()
  }

  /** Whether the app cannot start at all, which is only asked before the first boot is over. */
  private givesUp({ code }: Exit): boolean {
    if (this.isBooted) return false
    const isWrong = code === exitCodes.badConfig
    if (!isWrong && !cannotStart(this.places, this.options.breaker.bootFailures)) return false
    this.hooks.onGiveUp(code || exitCodes.breakerOpen)
    return true
  }

  private onMessage(place: Place, member: Member, message: FromWorker): void {
    const { emit } = this.hooks
    switch (message.type) {
      case 'heartbeat': {
        const { heartbeat } = message
        emit(beat(place.id, heartbeat))
        const ageMs = Date.now() - member.startedAt
        const reason = recycleReason(place.limits, heartbeat, ageMs, place.floor.ageMs)
        if (reason === undefined || member.state !== 'ready' || !this.retire(place, member, reason)) break
        if (reason !== 'age' && place.floor.recycledAt(ageMs)) {
          emit(
            warned(
              place.id,
              `reached its limit of ${reason} early; the next one has ${place.floor.ageMs} ms`,
            ),
          )
        }
        break
      }
      case 'ready':
      case 'health':
        for (const event of checked(place.id, member.told, message.checks)) emit(event)
        member.told = message.checks
        this.distribution.update()
        this.hooks.onChange()
        break
      case 'stop-asked':
        this.retire(place, member, message.reason)
        break
      case 'leaving':
        member.killAfter(this.options.drain.timeoutMs)
        emit(recycled(place.id, message.reason))
        place.vacate(member)
        break
      case 'failing':
        member.killAfter(this.options.drain.timeoutMs)
        place.lose(member)
        break
      case 'warning':
        emit(warned(place.id, message.message))
        break
      case 'drained':
        emit(drained(place.id, message.report))
    }
  }

  /** Replaces a worker that is well, for a reason, when it is its turn. */
  private retire(place: Place, member: Member, reason: string): boolean {
    if (place.isRetiring || this.isHalted || place.current !== member) return false
    place.isRetiring = true
    this.hooks.emit(recycled(place.id, reason))
    this.inTurn(async () => {
      // What waited for its turn may have been overtaken by a reload or a crash.
      if (place.current === member && place.state !== 'closed') await place.replace(0)
    }).then(
      () => {
        place.isRetiring = false
      },
      (error: Error) => {
        this.hooks.emit(warned(place.id, `the old one is kept: ${error.message}`))
        setTimeout(() => {
          place.isRetiring = false
        }, RETRY_REPLACEMENT_MS).unref()
      },
    )
    return true
  }

  private onState(member: Member): void {
    this.distribution.update()
    this.hooks.onChange()
    // Its end is told with its status.
    if (member.state !== 'exited') this.hooks.emit(changed(member))
  }
}
