import { describe, expect, it } from 'vitest'
import { Accumulator, Admission } from '../../src/fleet/merge.js'
import type { Exemplar, FamilySnapshot } from '../../src/series/snapshot.js'

const family = (over: Partial<FamilySnapshot>): FamilySnapshot => ({
  name: 'm',
  help: 'h',
  type: 'counter',
  aggregate: 'sum',
  bounds: [],
  series: [],
  ...over,
})
const one = (values: number[], labels = {}): FamilySnapshot['series'] => [{ labels, values }]

function merged(parts: FamilySnapshot[], maxSeries = 10): FamilySnapshot['series'] {
  const sum = new Accumulator(new Admission(maxSeries))
  parts.forEach((part, index) => {
    sum.add([part], String(index + 1))
  })
  return sum.families[0]!.series
}

it('adds counters, and keeps the parts as they were', () => {
  const part = family({ series: one([2]) })
  expect(merged([part, part, part])).toEqual(one([6]))
  expect(part.series).toEqual(one([2]))
})

it.each([
  ['sum', one([5])],
  ['max', one([3])],
  ['min', one([2])],
  ['worker', [...one([3], { worker: '1' }), ...one([2], { worker: '2' })]],
] as const)('a gauge that is %s', (aggregate, series) => {
  const gauges = [3, 2].map((value) => family({ type: 'gauge', aggregate, series: one([value]) }))
  expect(merged(gauges)).toEqual(series)
})

it.each([
  ['max', [Number.NaN, 5], 5],
  ['max', [5, Number.NaN], 5],
  ['min', [Number.NaN, 5], 5],
  ['min', [5, Number.NaN], 5],
  ['min', [Number.NaN, Number.NaN], Number.NaN],
] as const)('no number is neither: %s of %s', (aggregate, values, expected) => {
  const gauges = values.map((value) => family({ type: 'gauge', aggregate, series: one([value]) }))
  expect(merged(gauges)).toEqual(one([expected]))
})

describe('exemplars', () => {
  const told = (at: number): Exemplar => ({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), value: 1, at })
  const histogram = (bounds: number[], exemplars: (Exemplar | undefined)[]): FamilySnapshot =>
    family({
      type: 'histogram',
      bounds,
      series: [{ labels: {}, values: new Array(bounds.length + 2).fill(0), exemplars }],
    })

  it('the newest of each bucket stays, whoever comes first', () => {
    const parts = [histogram([1], [told(1), told(4)]), histogram([1], [told(3), told(2)])]
    for (const order of [parts, parts.toReversed()]) {
      expect(merged(order)[0]!.exemplars).toEqual([told(3), told(4)])
    }
  })

  it('where one has none the other one stays', () => {
    const parts = [histogram([1], [undefined, told(4)]), histogram([1], [told(3), undefined])]
    for (const order of [parts, parts.toReversed()]) {
      expect(merged(order)[0]!.exemplars).toEqual([told(3), told(4)])
    }
  })

  it('of buckets that are gone none stays', () => {
    const parts = [histogram([1, 2], [told(1), told(1), told(1)]), histogram([1], [told(2), told(2)])]
    expect(merged(parts)[0]!.exemplars).toEqual([told(2), told(2)])
    expect(merged(parts.toReversed())[0]!.exemplars).toBeUndefined()
  })
})

describe('histograms', () => {
  it('are added bucket by bucket', () => {
    const histogram = family({ type: 'histogram', bounds: [1, 2], series: one([1, 2, 3, 20]) })
    expect(merged([histogram, histogram])).toEqual(one([2, 4, 6, 40]))
  })

  it('of two releases keep the buckets that both have, exactly, whoever comes first', () => {
    const old = family({ type: 'histogram', bounds: [1, 2, 5], series: one([1, 10, 100, 1_000, 7]) })
    const now = family({ type: 'histogram', bounds: [1, 3, 5], series: one([2, 20, 200, 2_000, 8]) })
    for (const parts of [
      [old, now],
      [now, old],
      [old, now, old, now],
    ]) {
      const times = parts.length / 2
      expect(merged(parts)).toEqual(one([3, 330, 3_000, 15].map((value) => value * times)))
    }
  })
})

it('what one release counts and another measures is not mixed', () => {
  const gauge = family({ type: 'gauge', series: one([100]) })
  expect(merged([family({ series: one([1]) }), gauge])).toEqual(one([1]))
})

it('gauges of a process end with it, what it has counted does not', () => {
  const sum = new Accumulator(new Admission(10))
  sum.add(
    [family({ series: one([1]) }), family({ name: 'g', type: 'gauge', series: one([1]) })],
    '1',
    'lasting',
  )
  expect(sum.families.map(({ name }) => name)).toEqual(['m'])
})

it('a series that was shown once stays, however many come before it the next time', () => {
  const admission = new Admission(2)
  const of = (...names: string[]): FamilySnapshot =>
    family({ series: names.map((name) => ({ labels: { name }, values: [1] })) })
  const texts = (part: FamilySnapshot): string[] => {
    const sum = new Accumulator(admission)
    sum.add([part], '1')
    return sum.families[0]!.series.map(({ labels, values }) => `${Object.values(labels)[0]} ${values[0]}`)
  }
  expect(texts(of('a', 'b'))).toEqual(['a 1', 'b 1'])
  expect(texts(of('c', 'd', 'b', 'a'))).toEqual(['true 2', 'b 1', 'a 1'])
})

it('fractions add up to the same sum, whoever ends when', () => {
  const admission = new Admission(10)
  let state = 1
  const random = (): number => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  for (let round = 0; round < 300; round++) {
    const type = round % 2 === 0 ? 'counter' : 'histogram'
    const value = (): number => Math.round(random() * 1e9) / 10 ** Math.round(random() * 9)
    const values = (): number[] => (type === 'counter' ? [value()] : [1, 2, value()])
    const live = Array.from({ length: 6 }, () =>
      family({ type, bounds: type === 'counter' ? [] : [1], series: one(values()) }),
    )
    const retired = new Accumulator(admission)
    const total = (): FamilySnapshot['series'] => {
      const sum = new Accumulator(admission, retired)
      for (const part of live) sum.add([part], '1')
      return sum.families[0]!.series
    }
    const before = total()
    while (live.length > 0) {
      const [ended] = live.splice(Math.floor(random() * live.length), 1)
      retired.add([ended!], '1', 'lasting')
      expect(total()).toEqual(before)
    }
  }
})
