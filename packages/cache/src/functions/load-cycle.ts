import { AsyncLocalStorage } from 'node:async_hooks'
import type { Flight } from '../coordination/coordinator.js'
import { pathOf } from '../entries/namespace.js'
import { LoadCycle } from '../errors.js'

/** The load inside of which this code runs, if it runs inside of a loader. */
export const within: AsyncLocalStorage<Flight> = new AsyncLocalStorage()

/** @throws {LoadCycle} the load that would be waited for waits for the one that would wait */
export function assertNoCycle(outer: Flight, joined: Flight): void {
  const pathFrom = (flight: Flight, seen: Set<Flight>): string[] | undefined => {
    if (flight === outer) return [flight.key]
    seen.add(flight)
    for (const next of flight.waitsFor) {
      const path = seen.has(next) ? undefined : pathFrom(next, seen)
      if (path !== undefined) return [flight.key, ...path]
    }
    return undefined
  }
  const path = pathFrom(joined, new Set())
  if (path !== undefined)
    throw new LoadCycle([outer.key, ...path].map((key) => pathOf(key)?.join(':') ?? key))
}
