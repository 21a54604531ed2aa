import { resolveOptions } from '@scale/core'
import { type AimdOptions, aimdChecks, aimdDefaults } from '../options.js'
import { assertBounds } from './bounds.js'
import type { LimitAlgorithm } from './limit.js'

interface AimdState {
  readonly limit: number
}

/**
 * One more while all goes well, a tenth less when it does not: additive increase, multiplicative decrease. It needs to be
 * told what is too slow, and forgets nothing that it must be taught again.
 *
 * @throws {InvalidOption} unknown name, wrong range, or `min` ≤ `initial` ≤ `max` does not hold
 * @see Chiu and Jain, Analysis of the increase and decrease algorithms for congestion avoidance, 1989
 */
export function aimd(options: AimdOptions = {}): LimitAlgorithm<AimdState> {
  const resolved = resolveOptions('aimd', options, { checks: aimdChecks, defaults: aimdDefaults })
  assertBounds('aimd', resolved)
  const { initial, min, max, maxLatencyMs, maxUtilization, decreaseRatio } = resolved
  return {
    start: () => ({ limit: initial }),
    limit: ({ limit }) => Math.floor(limit),
    next: ({ limit }, { routes, utilization, maxInFlight }) => {
      const answers = [...routes.values()]
      const slow = answers.filter(({ medianMs }) => medianMs > maxLatencyMs)
      if (sum(slow) * 2 > sum(answers) || utilization > maxUtilization)
        return { limit: Math.max(min, limit * decreaseRatio) }
      return maxInFlight * 2 < limit ? { limit } : { limit: Math.min(max, limit + 1) }
    },
  }
}

function sum(routes: readonly { count: number }[]): number {
  return routes.reduce((all, { count }) => all + count, 0)
}
