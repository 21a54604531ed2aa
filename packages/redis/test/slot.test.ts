import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { slotOf } from '../src/index.js'

describe('slotOf', () => {
  // CRC-16/XMODEM of "123456789" is 0x31C3; the others show which part is hashed.
  it.each([
    ['123456789', 12_739],
    ['', 0],
    ['{user1000}.following', slotOf('user1000')],
    ['foo{{bar}}zap', slotOf('{bar')],
    ['foo{bar}{zap}', slotOf('bar')],
  ])('of %j is %d', (key, slot) => {
    expect(slotOf(key)).toBe(slot)
  })

  it('hashes the whole key if the tag is empty or not closed', () => {
    expect(slotOf('foo{}{bar}')).not.toBe(slotOf('bar'))
    expect(slotOf('foo{bar')).not.toBe(slotOf('bar'))
  })

  it('is in range for any key', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (key) => {
        expect(slotOf(key)).toSatisfy((slot: number) => Number.isInteger(slot) && slot >= 0 && slot < 16_384)
      }),
    )
  })
})
