import { describe, expect, it } from 'vitest'
import { compose, contract, joinContracts, type MiddlewareContract } from '../src/index.js'

function promising(promised: MiddlewareContract) {
  return Object.assign((_req: never, _res: never, next: () => void) => next(), { [contract]: promised })
}

const reads = promising({
  security: [{ scheme: 'bearer', optional: false }],
  problems: [{ status: 401, code: 'A' }],
})
const counts = promising({
  quotas: [{ name: 'q', quota: 1, windowMs: 1_000 }],
  problems: [{ status: 429, code: 'B' }],
})
const both = {
  security: [{ scheme: 'bearer', optional: false }],
  quotas: [{ name: 'q', quota: 1, windowMs: 1_000 }],
  problems: [
    { status: 401, code: 'A' },
    { status: 429, code: 'B' },
  ],
}

describe('contracts', () => {
  it('has a registered name', () => expect(contract).toBe(Symbol.for('@scale/contract')))

  it('add up in the order of the middleware', () => {
    expect(joinContracts([reads, counts])).toEqual(both)
    expect(joinContracts([counts, reads]).problems).toEqual([...both.problems].reverse())
  })

  it('say nothing where nobody does', () => {
    expect(joinContracts([])).toEqual({})
    expect(joinContracts([undefined, () => 1, promising({})])).toEqual({})
  })

  it('are those of all steps in what compose returns, however deep', () => {
    const composed = compose(reads, compose(counts)) as unknown as { [contract]: MiddlewareContract }
    expect(composed[contract]).toEqual(both)
    expect(Object.isFrozen(composed[contract])).toBe(true)
  })
})
