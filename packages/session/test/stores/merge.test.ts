import fc from 'fast-check'
import { expect, it } from 'vitest'
import { mergeTexts } from '../../src/data/merge.js'
import { MERGE } from '../../src/stores/lua/merge.lua.js'
import { useRedis } from '../redis.js'

// The two that join changes have to come to the same, whatever the values are.

const redis = useRedis()
const script = `${MERGE}\nreturn merge(ARGV[1], ARGV[2], ARGV[3], 1)`

const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '0',
      '2',
      '10',
      '01',
      '4294967294',
      '4294967295',
      '-1',
      '1.5',
      '__proto__',
      '',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.string({
      maxLength: 3,
      unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', ' ', 'é', '💥', '\n', '\u2028'),
    }),
  },
)
const leaf = fc.oneof(
  fc.constantFrom(0, 1, -0.1, 1e21, 1e-7, 0.1 + 0.2, 2 ** 53, true, null, '', 'x'),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ maxLength: 5, unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', 'é', '💥') }),
)
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value'), { maxKeys: 5 }),
  ),
}))
const object = fc.dictionary(name, value, { maxKeys: 5 })

/** Three versions of one object: each of the later two takes some of its members from the first. */
const versions = fc.tuple(object, object, object, fc.nat(0xffff)).map(([base, ours, theirs, mask]) => {
  const from = (own: object, bits: number): object => {
    const kept = Object.entries(base).filter((_, i) => (bits >> i) & 1)
    return Object.fromEntries([...kept, ...Object.entries(own)])
  }
  return [base, from(ours, mask & 0xff), from(theirs, mask >> 8)].map((one) => JSON.stringify(one))
})

const absent = (text: string | undefined): string => text ?? ''

it('Redis joins as the process does', async () => {
  await fc.assert(
    fc.asyncProperty(versions, fc.nat(9), async ([base, ours, theirs], without) => {
      // Now and then there was nothing to begin with.
      const from = without === 0 ? undefined : base
      const joined = await redis.client.eval(script, 0, absent(from), ours!, theirs!)
      const wanted = absent(mergeTexts(from, ours, theirs))
      expect(JSON.parse(joined as string)).toEqual(JSON.parse(wanted))
      // What is stored is what `JSON.stringify` makes of it: else every reader would find it changed.
      expect(JSON.stringify(JSON.parse(joined as string))).toBe(joined)
    }),
    { numRuns: 2_000 },
  )
})

it('joins a large object in no time worth speaking of', async () => {
  const entries = Array.from({ length: 2_000 }, (_, i): [string, unknown] => [
    `k${i}`,
    { n: i, t: 'x'.repeat(10) },
  ])
  const base = JSON.stringify(Object.fromEntries(entries))
  const ours = JSON.stringify(Object.fromEntries([...entries, ['ours', 1]]))
  const theirs = JSON.stringify(Object.fromEntries([...entries, ['theirs', 1]]))
  const startedAt = performance.now()
  const joined = (await redis.client.eval(script, 0, base, ours, theirs)) as string
  expect(performance.now() - startedAt).toBeLessThan(1_000)
  expect(Object.keys(JSON.parse(joined) as object)).toHaveLength(2_002)
})

it('joins no deeper than it can afford, in both', async () => {
  const nested = (depth: number, leaf: string): string => '{"k":'.repeat(depth) + leaf + '}'.repeat(depth)
  for (const depth of [30, 31, 32, 33, 500]) {
    const [base, ours, theirs] = ['{}', '{"a":1}', '{"b":1}'].map((leaf) => nested(depth, leaf))
    const startedAt = performance.now()
    const joined = await redis.client.eval(script, 0, base!, ours!, theirs!)
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    expect(joined).toBe(mergeTexts(base, ours, theirs))
    expect(joined).toBe(nested(depth, depth < 31 ? '{"b":1,"a":1}' : '{"a":1}'))
  }
})
