import type { LimitAlgorithm } from '../src/index.js'
import { LoadCollector } from '../src/load-window.js'
import { Sojourn } from '../src/queue/sojourn.js'
import { WaitingRoom } from '../src/queue/waiting-room.js'

/** What a request does: it computes, waits for something outside the process, and computes again; each in ms. */
export interface Work {
  route: string
  cpuMs: number
  outsideMs: number
}

export interface Scenario {
  forMs: number
  /** Requests a second at a time, Poisson. */
  rate: (nowMs: number) => number
  work: (nowMs: number, random: () => number) => Work
  /** How many wait outside at once: threads, or connections of a pool. Default: any number */
  outside?: number
  /** Pauses of the whole process, such as a collection of garbage: when and how long. */
  pauses?: { everyMs: number; forMs: number }
}

export interface Answer {
  arrivedAt: number
  answeredAt: number
  route: string
}

export interface Outcome {
  answers: Answer[]
  refused: number
  /** The limit, each 100 ms. */
  limits: { atMs: number; limit: number }[]
}

/** The same numbers in every run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Visit {
  arrivedAt: number
  startedAt: number
  work: Work
  priority: 1
  partition: string
  hasLeft: false
}

interface Event {
  atMs: number
  run: () => void
}

/** One process with one processor, on a clock of its own: what is ready computes in order, one after another. */
export function simulate(algorithm: LimitAlgorithm, scenario: Scenario, seed: number = 1): Outcome {
  const random = seeded(seed)
  const events: Event[] = []
  const outcome: Outcome = { answers: [], refused: 0, limits: [] }
  const [room, sojourn, load] = [new WaitingRoom<Visit>(1_000), new Sojourn(100, 10, 0), new LoadCollector(0)]
  const outsideQueue: (() => void)[] = []
  let [nowMs, cpuFreeAt, inFlight, outside] = [0, 0, 0, 0]
  let state = algorithm.start(0)

  const at = (atMs: number, run: () => void): void => {
    let [low, high] = [0, events.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (events[middle]!.atMs > atMs) low = middle + 1
      else high = middle
    }
    events.splice(low, 0, { atMs, run })
  }

  function compute(ms: number, then: () => void): void {
    cpuFreeAt = Math.max(cpuFreeAt, nowMs) + ms
    at(cpuFreeAt, then)
  }

  function leaveFor(ms: number, then: () => void): void {
    const go = (): void => {
      outside++
      at(nowMs + ms, () => {
        outside--
        outsideQueue.shift()?.()
        then()
      })
    }
    if (outside < (scenario.outside ?? Number.POSITIVE_INFINITY)) go()
    else outsideQueue.push(go)
  }

  function start(visit: Visit): void {
    inFlight++
    load.started(inFlight)
    visit.startedAt = nowMs
    const { cpuMs, outsideMs, route } = visit.work
    const finish = (): void => {
      inFlight--
      outcome.answers.push({ arrivedAt: visit.arrivedAt, answeredAt: nowMs, route })
      if (visit.startedAt >= (algorithm.since?.(state) ?? 0)) load.answered(route, nowMs - visit.startedAt)
      look()
    }
    if (outsideMs === 0) compute(cpuMs, finish)
    else compute(cpuMs / 2, () => leaveFor(outsideMs, () => compute(cpuMs / 2, finish)))
  }

  function look(): void {
    const window = load.close(nowMs, inFlight)
    if (window !== undefined) state = algorithm.next(state, window)
    const late = room.sweep(({ arrivedAt }) => nowMs - arrivedAt > sojourn.longest(nowMs))
    outcome.refused += late.length
    while (inFlight < algorithm.limit(state) && room.size > 0) {
      start(room.take(sojourn.isOverloaded(nowMs) ? 'newest' : 'oldest', () => 0)!)
    }
    if (room.size === 0) sojourn.emptied(nowMs)
  }

  function arrive(): void {
    const work = scenario.work(nowMs, random)
    const visit: Visit = { arrivedAt: nowMs, startedAt: 0, work, priority: 1, partition: '', hasLeft: false }
    if (room.size === 0) sojourn.emptied(nowMs)
    if (room.add(visit) !== undefined) outcome.refused++
    look()
    at(nowMs - Math.log(1 - random()) * (1_000 / scenario.rate(nowMs)), arrive)
  }

  const everyMs = (period: number, run: () => void): void =>
    at(nowMs + period, () => {
      run()
      everyMs(period, run)
    })

  at(0, arrive)
  everyMs(10, look)
  everyMs(100, () => outcome.limits.push({ atMs: nowMs, limit: algorithm.limit(state) }))
  if (scenario.pauses) {
    const { everyMs: period, forMs } = scenario.pauses
    everyMs(period, () => compute(forMs, () => {}))
  }
  while (nowMs < scenario.forMs) {
    const event = events.pop()!
    nowMs = event.atMs
    event.run()
  }
  return outcome
}

/** Answers a second in a stretch of time. */
export function throughput({ answers }: Outcome, fromMs: number, toMs: number): number {
  return (
    answers.filter(({ answeredAt }) => answeredAt >= fromMs && answeredAt < toMs).length /
    ((toMs - fromMs) / 1_000)
  )
}

/** A quantile of the latency of those who arrived in a stretch of time, ms. */
export function latency({ answers }: Outcome, q: number, fromMs: number, toMs: number): number {
  const all = answers
    .filter(({ arrivedAt }) => arrivedAt >= fromMs && arrivedAt < toMs)
    .map(({ arrivedAt, answeredAt }) => answeredAt - arrivedAt)
    .sort((a, b) => a - b)
  return all[Math.floor(all.length * q)] ?? Number.NaN
}

export function meanLimit({ limits }: Outcome, fromMs: number, toMs: number): number {
  const all = limits.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
  return all.reduce((sum, { limit }) => sum + limit, 0) / all.length
}
