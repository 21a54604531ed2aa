import { describe, expect, it } from 'vitest'
import { createQuota } from '../src/algorithms/quota.js'
import type { Balance, Charge } from '../src/store.js'
import { Blocks } from '../src/stores/blocks.js'

const quota = createQuota('p', { algorithm: 'fixed', quota: 5, windowMs: 60_000 })
const spent: Balance = { remaining: 0, resetAfterMs: 30_000, waitMs: 30_000, windowId: 1 }
const charge = (key: string, cost = 1): Charge => ({ key, quota, cost })

describe('known refusals', () => {
  it('stand for a second, or until the quota returns', () => {
    const blocks = new Blocks()
    blocks.add([charge('a')], [spent], 0, 10)
    expect(blocks.find([charge('a')], 400)).toMatchObject({
      granted: 0,
      source: 'block',
      // From when the answer came: the quota may have been counted as late as that.
      balances: [{ remaining: 0, resetAfterMs: 29_610, waitMs: 29_610 }],
    })
    expect(blocks.find([charge('a')], 1_009)).toBeDefined()
    expect(blocks.find([charge('a')], 1_010)).toBeUndefined()
    blocks.add([charge('b')], [{ ...spent, waitMs: 50 }], 2_000, 2_010)
    expect(blocks.find([charge('b')], 2_049)).toBeDefined()
    expect(blocks.find([charge('b')], 2_050)).toBeUndefined()
  })

  it('do not stand for another quota, a smaller cost, or others', () => {
    const blocks = new Blocks()
    blocks.add([charge('a', 3)], [spent], 0, 0)
    expect(blocks.find([charge('a', 4)], 1)).toBeDefined()
    expect(blocks.find([charge('a', 2)], 1)).toBeUndefined()
    expect(blocks.find([charge('b', 3)], 1)).toBeUndefined()
    const raised = createQuota('p', { ...quota, quota: 6 })
    expect(blocks.find([{ ...charge('a', 3), quota: raised }], 1)).toBeUndefined()
    blocks.delete('a')
    expect(blocks.find([charge('a', 3)], 1)).toBeUndefined()
  })

  it('cannot be flushed by new ones, and are bounded', () => {
    const blocks = new Blocks(1_000)
    blocks.add([charge('victim')], [spent], 0, 0)
    for (let index = 0; index < 1_000_000; index++) blocks.add([charge(`${index}`)], [spent], 500, 500)
    expect(blocks.find([charge('victim')], 900)).toBeDefined()
    expect(blocks.size).toBeLessThanOrEqual(2_000)
  })
})
