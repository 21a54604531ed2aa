import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  anyOf,
  arrayOf,
  boolean,
  durationMs,
  func,
  InvalidOption,
  integer,
  number,
  type OptionCheck,
  object,
  oneOf,
  resolveOptions,
  string,
} from '../src/index.js'

interface Options {
  quota: number
  windowMs?: number
  label?: string
  isShadow?: boolean
}

const rules = {
  checks: { quota: integer(1), windowMs: durationMs(), label: string(0, 10), isShadow: boolean },
  defaults: { windowMs: 60_000, label: 'burst', isShadow: true },
  required: ['quota'] as const,
}
const resolve = (given: unknown) => resolveOptions('rateLimit', given as Options, rules)

describe('resolveOptions', () => {
  it('fills in defaults, and only for what was not given', () => {
    expect(resolve({ quota: 10 })).toEqual({ quota: 10, windowMs: 60_000, label: 'burst', isShadow: true })
    expect(resolve({ quota: 10, windowMs: undefined })).toMatchObject({ windowMs: 60_000 })
    expect(resolve({ quota: 10, label: '', isShadow: false })).toMatchObject({ label: '', isShadow: false })
  })

  it('leaves the caller’s object alone and gives a frozen one', () => {
    const given = Object.freeze({ quota: 10 })
    expect(Object.isFrozen(resolve(given))).toBe(true)
    expect(given).toEqual({ quota: 10 })
  })

  it('knows which names are there for sure', () => {
    const resolved = resolveOptions('rateLimit', { quota: 1 } as Options, rules)
    expectTypeOf(resolved.windowMs).toEqualTypeOf<number>()
    expectTypeOf(resolved.quota).toEqualTypeOf<number>()
  })

  it.each([
    [{ quota: 0 }, 'rateLimit: `quota` must be an integer of at least 1, not 0.'],
    [{ quota: '10' }, 'rateLimit: `quota` must be an integer of at least 1, not that string.'],
    [{}, 'rateLimit: `quota` is required.'],
    [{ quota: 1, windowMS: 5 }, 'rateLimit: unknown option `windowMS`. Did you mean `windowMs`?'],
    [
      { quota: 1, zzzzzzzzz: 5 },
      'rateLimit: unknown option `zzzzzzzzz`. Known options: quota, windowMs, label, isShadow.',
    ],
    [
      { quota: 1, windowMs: 0.5 },
      'rateLimit: `windowMs` must be a whole number of milliseconds from 1 to 2147483647, not 0.5.',
    ],
    [null, 'rateLimit: options must be an object, not null.'],
    [[], 'rateLimit: options must be an object, not an array.'],
    [{ quota: 1, constructor: 1 }, /unknown option `constructor`/],
  ])('refuses %j', (given, message) => {
    expect(() => resolve(given)).toThrow(InvalidOption)
    expect(() => resolve(given)).toThrow(message)
  })

  it('never repeats a string, which may be a secret', () => {
    expect(() => resolve({ quota: 'hunter2' })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('hunter2') }),
    )
  })
})

describe('checks', () => {
  it.each<[string, OptionCheck, unknown[], unknown[]]>([
    ['integer', integer(0, 5), [0, 5], [-1, 6, 1.5, Number.NaN, '1', null]],
    ['number', number(0, 1), [0, 0.5, 1], [1.1, Number.POSITIVE_INFINITY, '0']],
    ['durationMs', durationMs(), [1, 2 ** 31 - 1], [0, 2 ** 31, 0.1, '5s']],
    ['boolean', boolean, [true, false], [0, 'true', null]],
    ['func', func, [() => 1], [{}, null]],
    ['object', object, [{}, new Map()], [null, [], 'x', () => 1]],
    ['string', string(1, 3), ['a', 'abc'], ['', 'abcd', 1]],
    ['oneOf', oneOf('open', 'closed'), ['open'], ['Open', '', null]],
    ['arrayOf', arrayOf(integer(1), 1), [[1], [1, 2]], [[], [0], 'x', [1, 'x']]],
    ['anyOf', anyOf(integer(1), boolean), [1, true], [0, 'x']],
  ])('%s', (_, check, good, bad) => {
    for (const value of good) expect(check(value)).toBeUndefined()
    for (const value of bad) expect(check(value)).toEqual(expect.any(String))
  })
})
