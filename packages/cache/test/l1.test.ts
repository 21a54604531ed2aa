import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { L1 } from '../src/entries/l1.js'

const KB = 1_024

describe('L1', () => {
  it('never takes more than its bytes, whatever is done to it', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('set' as const), key: fc.nat(50), bytes: fc.nat(2 * KB) }),
      fc.record({ do: fc.constant('get' as const), key: fc.nat(50), bytes: fc.constant(0) }),
      fc.record({ do: fc.constant('delete' as const), key: fc.nat(50), bytes: fc.constant(0) }),
      fc.record({ do: fc.constant('clear' as const), key: fc.constant(0), bytes: fc.constant(0) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const left: number[] = []
        const l1 = new L1<number>(16 * KB, (value) => left.push(value))
        const model = new Map<string, number>()
        for (const [value, { do: what, key: number, bytes }] of steps.entries()) {
          const key = `k${number}`
          if (what === 'set') {
            l1.set(key, value, bytes)
            model.set(key, value)
          } else if (what === 'delete') l1.delete(key)
          else if (what === 'clear') l1.clear()
          const found = l1.get(key)
          // What is there is what was set last.
          if (found !== undefined) expect(found).toBe(model.get(key))
          if (what === 'delete' || what === 'clear') expect(found).toBeUndefined()
          expect(l1.bytes).toBeLessThanOrEqual(16 * KB)
          expect(l1.bytes >= 0 && (l1.bytes === 0) === (l1.size === 0)).toBe(true)
        }
      }),
    )
  })

  it('keeps hot keys through a flood of keys that are asked for once', () => {
    const l1 = new L1<number>(100 * KB)
    const hot = Array.from({ length: 50 }, (_, i) => `hot${i}`)
    for (const key of hot) l1.set(key, 1, 500)
    for (const key of hot) l1.get(key)
    for (let i = 0; i < 100_000; i++) {
      l1.set(`once${i}`, 1, 500)
      if (i % 100 === 0) for (const key of hot) l1.get(key)
    }
    expect(hot.filter((key) => l1.peek(key) !== undefined)).toHaveLength(50)
    expect(l1.size).toBeLessThan(200)
  })

  it('gives a key that comes back soon a place among the hot ones', () => {
    const l1 = new L1<number>(20 * KB)
    const fill = (name: string) => {
      for (let i = 0; i < 40; i++) l1.set(`${name}${i}`, 1, 500)
    }
    l1.set('again', 1, 500)
    fill('a')
    expect(l1.peek('again')).toBeUndefined()
    l1.set('again', 2, 500)
    fill('b')
    expect(l1.peek('again')).toBe(2)
  })

  it('does not keep what takes more than a tenth of it', () => {
    const l1 = new L1<number>(10 * KB)
    l1.set('key', 1, 100)
    l1.set('key', 2, 2 * KB)
    expect(l1.get('key')).toBeUndefined()
    expect(l1.bytes).toBe(0)
  })
})
