import { AsyncResource } from 'node:async_hooks'
import { performance } from 'node:perf_hooks'
import { type Next, routeTemplate } from '@scale/core'
import type { Request, Response } from 'express'
import { admissionChannel, limitChannel } from './channels.js'
import type { Refusal } from './errors.js'
import type { LimitAlgorithm } from './limits/limit.js'
import { LoadCollector } from './load-window.js'
import { Sojourn } from './queue/sojourn.js'
import { type Priority, type Waiting, WaitingRoom } from './queue/waiting-room.js'

/** How often the room is looked through while somebody waits. */
const SWEEP_MS = 10
/** An answer that has begun, and still is being sent after so long, waits for its client and does nothing here. */
const SENDING_MS = 1_000
/** What took less makes room at once. */
const BRIEF_MS = 1
/** So many turns that bring nothing new: an accepted connection brings its request in the turn after. */
const QUIET_TURNS = 2
/** More turns than this nobody is made to wait. */
const MOST_TURNS = 64
/** Class of what no route has answered. */
const NO_ROUTE = ''

/** How a request is to be treated. */
export interface Treatment {
  readonly priority: Priority
  readonly partition: string
  /** When it is no longer worth beginning, on the clock of `performance.now()`. */
  readonly deadlineAt: number
}

export interface GateOptions {
  readonly name: string
  readonly algorithm: LimitAlgorithm
  readonly maxWaiting: number
  readonly maxWaitMs: number
  readonly overloadedWaitMs: number
  /** Answers a request that is not let in. */
  readonly refuse: (refusal: Refusal, res: Response, next: Next) => void
}

/** One request, from its arrival to the end of its answer. */
class Visit implements Waiting {
  readonly res: Response
  readonly priority: Priority
  readonly partition: string
  readonly arrivedAt: number
  readonly deadlineAt: number
  startedAt = 0
  /** The turn of the loop in which it began. */
  turn = 0
  state: 'waiting' | 'running' | 'over' = 'waiting'
  next: Next

  constructor(res: Response, next: Next, treatment: Treatment, nowMs: number) {
    this.res = res
    this.next = next
    this.priority = treatment.priority
    this.partition = treatment.partition
    this.deadlineAt = treatment.deadlineAt
    this.arrivedAt = nowMs
  }

  get hasLeft(): boolean {
    return this.state === 'over'
  }
}

/**
 * Lets so many requests run at once as the algorithm says; the others wait in a room that is kept short.
 *
 * Handlers that never wait run one after another as they are read from their sockets, each alone in the process as far as
 * anybody could count, and the queue would be in the kernel, where nobody orders or bounds it. So what was answered in the
 * turn of the event loop in which it began, and took its time, makes room only after that turn; and nothing that has waited
 * is let in within the turn in which room was made.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #room: WaitingRoom<Visit>
  readonly #sojourn: Sojourn
  readonly #load: LoadCollector
  readonly #running = new Set<Visit>()
  readonly #runningOf = new Map<string, number>()
  /** Those who were answered in the turn in which they began, with their route, until they make room. */
  #ended: [visit: Visit, route: string | undefined][] = []
  #endedAt = 0
  /** Counts the turns of the loop in which something began. */
  #turn = 0
  #isTurning = false
  #extraTurns = 0
  #quietTurns = 0
  #arrivals = 0
  #arrivalsSeen = 0
  #state: unknown
  #limit: number
  #sweeper: NodeJS.Timeout | undefined

  constructor(options: GateOptions) {
    const nowMs = performance.now()
    this.#options = options
    this.#room = new WaitingRoom(options.maxWaiting)
    this.#sojourn = new Sojourn(options.maxWaitMs, options.overloadedWaitMs, nowMs)
    this.#load = new LoadCollector(nowMs)
    this.#state = options.algorithm.start(nowMs)
    this.#limit = options.algorithm.limit(this.#state)
  }

  get limit(): number {
    return this.#limit
  }

  get inFlight(): number {
    return this.#running.size
  }

  get waiting(): number {
    return this.#room.size
  }

  /** A request has come. */
  arrive(req: Request, res: Response, next: Next, treatment: Treatment): void {
    // Nobody is there any more, and nothing would tell when it is over.
    if (res.closed || res.destroyed) {
      next()
      return
    }
    const nowMs = performance.now()
    this.#arrivals++
    const visit = new Visit(res, next, treatment, nowMs)
    res.on('close', () => this.#over(visit, req))
    if (this.#hasRoom(nowMs)) this.#start(visit, nowMs)
    else if (treatment.deadlineAt <= nowMs) this.#refuse(visit, 'deadline', nowMs)
    else if (this.#options.maxWaiting === 0) this.#refuse(visit, 'full', nowMs)
    else this.#wait(visit, nowMs)
  }

  #hasRoom(nowMs: number): boolean {
    if (this.#room.size > 0) return false
    this.#sojourn.emptied(nowMs)
    return this.#running.size < this.#limit
  }

  #wait(visit: Visit, nowMs: number): void {
    // When it is its turn, it goes on in the context in which it came, not in that of whoever made room for it.
    visit.next = AsyncResource.bind(visit.next)
    const displaced = this.#room.add(visit)
    if (displaced !== undefined) this.#refuse(displaced, 'full', nowMs)
    this.#sweeper ??= setTimeout(this.#sweep, SWEEP_MS)
  }

  #start(visit: Visit, nowMs: number): void {
    visit.state = 'running'
    visit.startedAt = nowMs
    visit.turn = this.#turn
    this.#afterTurn()
    this.#running.add(visit)
    this.#runningOf.set(visit.partition, this.#runningIn(visit.partition) + 1)
    this.#load.started(this.#running.size)
    if (admissionChannel.hasSubscribers) this.#tell(visit, nowMs, undefined)
    visit.next()
  }

  readonly #runningIn = (partition: string): number => this.#runningOf.get(partition) ?? 0

  #refuse(visit: Visit, refusal: Refusal, nowMs: number): void {
    visit.state = 'over'
    if (admissionChannel.hasSubscribers) this.#tell(visit, nowMs, refusal)
    this.#options.refuse(refusal, visit.res, visit.next)
  }

  #tell({ priority, arrivedAt }: Visit, nowMs: number, refusal: Refusal | undefined): void {
    admissionChannel.publish({
      admission: this.#options.name,
      priority,
      waitedMs: nowMs - arrivedAt,
      refusal,
    })
  }

  /** The response is closed: sent, or left by its client. */
  #over(visit: Visit, req: Request): void {
    if (visit.state === 'waiting') {
      // The next look through the room removes it.
      visit.state = 'over'
      return
    }
    if (visit.state !== 'running') return
    visit.state = 'over'
    this.#free(visit, visit.res.writableFinished ? req : undefined)
  }

  /** @param req  if it was answered, so that its latency counts */
  #free(visit: Visit, req?: Request): void {
    const nowMs = performance.now()
    const route = req && (routeTemplate(req) ?? NO_ROUTE)
    const hasBlocked = visit.turn === this.#turn && nowMs - visit.startedAt >= BRIEF_MS
    if (hasBlocked) {
      this.#ended.push([visit, route])
    } else {
      this.#remove(visit, route, nowMs)
      this.#learn(nowMs)
      if (this.#room.size > 0) this.#afterTurn()
    }
  }

  #afterTurn(): void {
    if (this.#isTurning) return
    this.#isTurning = true
    setImmediate(this.#turned)
  }

  /**
   * The loop has turned. Where handlers have blocked it, it turns on, while nothing is let in, as long as that brings new
   * requests: Node accepts one connection a turn, and who waits to be accepted can be neither put in order nor refused.
   */
  readonly #turned = (): void => {
    const nowMs = performance.now()
    this.#turn++
    if (this.#ended.length > 0) {
      if (this.#extraTurns === 0) this.#endedAt = nowMs
      const isQuiet = this.#extraTurns > 0 && this.#arrivals === this.#arrivalsSeen
      this.#quietTurns = isQuiet ? this.#quietTurns + 1 : 0
      this.#arrivalsSeen = this.#arrivals
      this.#extraTurns++
      if (this.#quietTurns < QUIET_TURNS && this.#extraTurns < MOST_TURNS) {
        setImmediate(this.#turned)
        return
      }
      for (const [visit, route] of this.#ended) this.#remove(visit, route, this.#endedAt)
      this.#ended = []
      this.#extraTurns = 0
    }
    this.#isTurning = false
    this.#settle(nowMs)
  }

  #settle(nowMs: number): void {
    this.#learn(nowMs)
    this.#letIn(nowMs)
  }

  #remove(visit: Visit, route: string | undefined, nowMs: number): void {
    const since = this.#options.algorithm.since?.(this.#state) ?? 0
    if (route !== undefined && visit.startedAt >= since) {
      this.#load.answered(route, Math.max(nowMs, visit.startedAt) - visit.startedAt)
    }
    this.#running.delete(visit)
    const running = this.#runningIn(visit.partition) - 1
    if (running > 0) this.#runningOf.set(visit.partition, running)
    else this.#runningOf.delete(visit.partition)
  }

  #learn(nowMs: number): void {
    const window = this.#load.close(nowMs, this.#running.size)
    if (window === undefined) return
    this.#state = this.#options.algorithm.next(this.#state, window)
    const limit = this.#options.algorithm.limit(this.#state)
    if (limit === this.#limit) return
    this.#limit = limit
    if (!limitChannel.hasSubscribers) return
    const { name } = this.#options
    limitChannel.publish({ admission: name, limit, inFlight: this.inFlight, waiting: this.waiting })
  }

  /** Lets in who waits, as far as there is room. */
  #letIn(nowMs: number): void {
    while (this.#running.size < this.#limit && this.#room.size > 0) {
      const order = this.#sojourn.isOverloaded(nowMs) ? 'newest' : 'oldest'
      const visit = this.#room.take(order, this.#runningIn)!
      if (visit.hasLeft) continue
      const refusal = this.#tooLate(visit, nowMs)
      if (refusal === undefined) this.#start(visit, nowMs)
      else this.#refuse(visit, refusal, nowMs)
    }
    if (this.#room.size === 0) this.#sojourn.emptied(nowMs)
  }

  #tooLate(visit: Visit, nowMs: number): Refusal | undefined {
    if (visit.deadlineAt <= nowMs) return 'deadline'
    const isPatient = visit.priority === 0 || nowMs - visit.arrivedAt <= this.#sojourn.longest(nowMs)
    return isPatient ? undefined : 'late'
  }

  /** Looks through the room: who has waited too long, who has left; and through what only is being sent. */
  readonly #sweep = (): void => {
    const nowMs = performance.now()
    for (const visit of this.#running) {
      if (nowMs - visit.startedAt < SENDING_MS) break
      if (visit.state !== 'running' || !visit.res.headersSent) continue
      visit.state = 'over'
      this.#free(visit)
    }
    const refused = this.#room.sweep((visit) => visit.hasLeft || this.#tooLate(visit, nowMs) !== undefined)
    for (const visit of refused) {
      if (!visit.hasLeft) this.#refuse(visit, this.#tooLate(visit, nowMs)!, nowMs)
    }
    this.#settle(nowMs)
    this.#sweeper = this.#room.size > 0 ? setTimeout(this.#sweep, SWEEP_MS) : undefined
  }
}
