import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Mode, mostAdmitted } from '../src/algorithms/bound.js'
import { type AlgorithmName, algorithms } from '../src/algorithms/index.js'
import { createQuota } from '../src/algorithms/quota.js'
import { rateLimit } from '../src/index.js'

const page = readFileSync(new URL('../../../docs/concepts/rate-limiting.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `([\w-]+)` +\| (\d+) +\| (\d+) +\| (\d+) +\|$/gm)]

describe('docs/concepts/rate-limiting.md', () => {
  it('states the bounds that are computed', () => {
    const stated = rows.map(([, algorithm, ...bounds]) => [algorithm, ...bounds.map(Number)])
    const computed = (Object.keys(algorithms) as AlgorithmName[]).map((algorithm) => {
      const quota = createQuota('stated', { algorithm, quota: 100, windowMs: 60_000 })
      return [
        algorithm,
        ...(['exact', 'leased', 'local'] as Mode[]).map((mode) => mostAdmitted(quota, mode, 1_000, 4)),
      ]
    })
    expect(stated).toEqual(computed)
  })
})

describe('bound', () => {
  it('says what a limiter admits at most, with and without its store', () => {
    const policies = [
      { name: 'fixed', quota: 10, windowMs: 60_000 },
      { name: 'strict', quota: () => 10, windowMs: 60_000, algorithm: 'strict' as const },
    ]
    expect(rateLimit({ policies }).bound()).toEqual([
      { policy: 'fixed', windowMs: 60_000, most: 19, mostWithoutStore: 19 },
      { policy: 'strict', windowMs: 60_000, most: 10, mostWithoutStore: 10 },
    ])
  })
})
