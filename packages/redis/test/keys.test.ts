import { InvalidOption } from '@scale/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyPart, keyspace } from '../src/keys.js'
import { slotOf } from '../src/slot.js'

const anyText = fc.string({ unit: 'binary', maxLength: 300 })

describe('keyspace', () => {
  it('puts prefix, package and version first', () => {
    const keys = keyspace('scale', 'session', 1)
    expect(keys.plain('user', 'ada')).toBe('scale:session:1:user:ada')
    expect(keys.tagged('ada', 'index')).toBe('scale:session:1:{ada}:index')
  })

  it.each(['', 'a b', 'a{b', 'ä', 'x'.repeat(65)])('refuses the prefix %j', (prefix) => {
    expect(() => keyspace(prefix, 'session', 1)).toThrow(InvalidOption)
  })

  it('keeps all keys of one tag in one slot, whatever the parts are', () => {
    const keys = keyspace('scale', 'test', 1)
    fc.assert(
      fc.property(anyText, anyText, anyText, (tag, a, b) => {
        expect(slotOf(keys.tagged(tag, a))).toBe(slotOf(keys.tagged(tag, b)))
      }),
    )
  })

  it('lets no part choose the slot of a plain key', () => {
    fc.assert(
      fc.property(anyText, (part) => {
        expect(keyPart(part)).not.toMatch(/[{}:]/)
      }),
    )
  })
})

describe('keyPart', () => {
  it('leaves readable names as they are', () => {
    expect(keyPart('203.0.113.7')).toBe('203.0.113.7')
    expect(keyPart('ada@example.org')).toBe('ada@example.org')
  })

  it('gives different parts different texts, bounded in length', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        expect(keyPart(a) === keyPart(b)).toBe(a === b)
        expect(keyPart(a).length).toBeLessThanOrEqual(128 * 12)
      }),
      { numRuns: 2_000 },
    )
  })

  it('tells half surrogate pairs apart, which have no UTF-8', () => {
    expect(new Set(['\ud800', '\ud801', '\udc00', '\ufffd'].map(keyPart)).size).toBe(4)
    expect(keyPart(`${'x'.repeat(200)}\ud800`)).not.toBe(keyPart(`${'x'.repeat(200)}\ud801`))
  })
})
