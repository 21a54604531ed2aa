import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import type { LoadWindow } from './limits/limit.js'

/** A window ends after so long if it has enough answers, and after so long in any case. */
const SHORTEST_MS = 100
const LONGEST_MS = 1_000
const ENOUGH = 8
/** Answers of one route that a window keeps: the first ones, as good as any. */
const MOST_OF_A_ROUTE = 128
/** Routes that a window tells apart. What has no template of its own is one of them. */
const MOST_ROUTES = 64

/** Collects what a window has to say. */
export class LoadCollector {
  #openedAt: number
  #answers = 0
  #maxInFlight = 0
  readonly #latencies = new Map<string, number[]>()
  #loop: EventLoopUtilization = performance.eventLoopUtilization()

  constructor(nowMs: number) {
    this.#openedAt = nowMs
  }

  started(inFlight: number): void {
    if (inFlight > this.#maxInFlight) this.#maxInFlight = inFlight
  }

  answered(route: string, latencyMs: number): void {
    this.#answers++
    const latencies = this.#latencies.get(route)
    if (latencies === undefined) {
      if (this.#latencies.size < MOST_ROUTES) this.#latencies.set(route, [latencyMs])
    } else if (latencies.length < MOST_OF_A_ROUTE) latencies.push(latencyMs)
  }

  /** The window, if it is over; then the next one has begun, with so many in flight. */
  close(nowMs: number, inFlight: number): LoadWindow | undefined {
    const tookMs = nowMs - this.#openedAt
    if (tookMs < SHORTEST_MS || (this.#answers < ENOUGH && tookMs < LONGEST_MS)) return undefined
    const loop = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(loop, this.#loop)
    const routes = new Map(
      [...this.#latencies].map(([route, all]) => [route, { count: all.length, medianMs: median(all) }]),
    )
    const window: LoadWindow = { nowMs, maxInFlight: this.#maxInFlight, routes, utilization }
    this.#openedAt = nowMs
    this.#answers = 0
    this.#maxInFlight = inFlight
    this.#latencies.clear()
    this.#loop = loop
    return window
  }
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!
}
