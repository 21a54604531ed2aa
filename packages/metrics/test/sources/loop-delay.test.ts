import { createHistogram } from 'node:perf_hooks'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { loopDelayCounts } from '../../src/sources/loop-delay.js'

const BOUNDS = [0.001, 0.01, 0.1, 1]

it('puts every measurement into its bucket, whatever they are', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 5, noNaN: true }), { maxLength: 300 }), (delays) => {
      // Node's histogram rounds to three digits: what lies that near to a bound may be on either side.
      const clear = delays.filter((delay) =>
        BOUNDS.every((bound) => Math.abs(delay - bound) > 0.02 * (bound + 0.01)),
      )
      const histogram = createHistogram()
      for (const delay of clear) histogram.record(Math.round((delay * 1_000 + 10) * 1e6))
      const wanted = [...BOUNDS, Number.POSITIVE_INFINITY].map(
        (bound, at, all) => clear.filter((delay) => delay <= bound && delay > (all[at - 1] ?? -1)).length,
      )
      expect(loopDelayCounts(histogram, 10, BOUNDS)).toEqual(wanted)
    }),
  )
})
