import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { toBoolean, toBytes, toMs } from '../src/index.js'

describe('units', () => {
  it.each([
    ['250ms', 250],
    ['5m', 300_000],
    ['1.1s', 1_100],
    ['1.5 H', 5_400_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['60000', 60_000],
    ['0', 0],
  ])('%s are %i ms', (text, ms) => expect(toMs(text)).toBe(ms))

  it.each([
    ['64mb', 67_108_864],
    ['100kb', 102_400],
    ['1.5KiB', 1_536],
    ['2TB', 2_199_023_255_552],
    ['512', 512],
    ['1b', 1],
  ])('%s are %i bytes', (text, size) => expect(toBytes(text)).toBe(size))

  it.each([
    '',
    ' ',
    'm',
    '-5m',
    '+5m',
    '5 mm',
    '5m5s',
    '1e3',
    '0x10',
    '0.5ms',
    '.5s',
    '5.m',
    'Infinity',
    '9007199254740993',
    '5toString',
    '5constructor',
    '٥m',
  ])('%j is no duration', (text) => expect(toMs(text)).toBeNaN())
  it.each(['0.3b', '64m', '1,5mb', '99999999tb', '1kb\n2kb'])('%j is no size', (text) =>
    expect(toBytes(text)).toBeNaN(),
  )

  it('are exact for every number with a fraction, and of all other texts there is none that is read', () => {
    const factors = { ms: 1n, s: 1_000n, m: 60_000n, h: 3_600_000n, d: 86_400_000n, w: 604_800_000n }
    fc.assert(
      fc.property(
        fc.bigInt(0n, 10n ** 9n),
        fc.bigInt(0n, 9_999n),
        fc.constantFrom(...(Object.keys(factors) as (keyof typeof factors)[])),
        (whole, fraction, unit) => {
          const text = `${whole}.${String(fraction).padStart(4, '0')}${unit}`
          const scaled = (whole * 10_000n + fraction) * factors[unit]
          const isWhole = scaled % 10_000n === 0n && scaled / 10_000n <= BigInt(Number.MAX_SAFE_INTEGER)
          expect(toMs(text)).toBe(isWhole ? Number(scaled / 10_000n) : Number.NaN)
        },
      ),
    )
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const isNumber = /^\s*\d/.test(text)
        if (!isNumber) expect([toMs(text), toBytes(text)]).toEqual([Number.NaN, Number.NaN])
        else
          for (const result of [toMs(text), toBytes(text)])
            expect(result >= 0 || Number.isNaN(result)).toBe(true)
      }),
    )
  })

  it('are refused by the number or boolean of any library if they are none', () => {
    const libraries = [
      {
        ms: z.string().default('5m').transform(toMs).pipe(z.number()),
        flag: z.string().transform(toBoolean).pipe(z.boolean()),
      },
      {
        ms: v.pipe(v.optional(v.string(), '5m'), v.transform(toMs), v.number()),
        flag: v.pipe(v.string(), v.transform(toBoolean), v.boolean()),
      },
      { ms: type('string').pipe(toMs).to('number'), flag: type('string').pipe(toBoolean).to('boolean') },
    ]
    for (const { ms, flag } of libraries) {
      expect(ms['~standard'].validate('90s')).toMatchObject({ value: 90_000 })
      expect(ms['~standard'].validate('soon')).toHaveProperty('issues.length', 1)
      expect(flag['~standard'].validate('OFF')).toMatchObject({ value: false })
      expect(flag['~standard'].validate('perhaps')).toHaveProperty('issues.length', 1)
    }
  })
})
