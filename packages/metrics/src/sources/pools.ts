import { InvalidOption, string } from '@scale/core'
import { poolCatalogue } from '../catalogue.js'
import { fleetOf } from '../fleet/fleet.js'
import { type PoolMetricsOptions, resolvePoolMetricsOptions } from '../options.js'

/** How a pool is; leave out what it does not tell. */
export interface PoolState {
  /** Open connections. */
  size?: number
  /** Of these, in nobody's use. */
  idle?: number
  /** Callers that wait for one. */
  waiting?: number
  /** How many it may open. */
  max?: number
}

/**
 * Shows a pool of connections, threads or anything else.
 *
 * @param name  which pool: `postgres`
 * @param read  looks it up; called before each reading, and must not take long. If it throws, the last state stands
 * @returns a function that ends it
 * @throws {InvalidOption}
 */
export function poolMetrics(name: string, read: () => PoolState, options?: PoolMetricsOptions): () => void {
  if (string(1, 64)(name) !== undefined || typeof read !== 'function') {
    throw new InvalidOption('poolMetrics: it wants a name of 1 to 64 characters and a function.')
  }
  const fleet = fleetOf(resolvePoolMetricsOptions(options))
  const stops = (['size', 'idle', 'waiting', 'max'] as const).map((key) => {
    const gauge = fleet.gauge(poolCatalogue[key])
    return gauge.onCollect(() => {
      const value = stateOf(read)[key]
      if (value !== undefined) gauge.with(name).set(value)
    })
  })
  return () => {
    for (const stop of stops) stop()
  }
}

function stateOf(read: () => PoolState): PoolState {
  try {
    return read()
  } catch {
    return {}
  }
}
