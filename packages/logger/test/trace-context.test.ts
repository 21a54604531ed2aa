import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatTraceparent,
  isKept,
  parseTraceparent,
  parseTracestate,
  randomHex,
} from '../src/request/trace-context.js'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const valid = `00-${TRACE}-${PARENT}-01`

describe('traceparent', () => {
  it.each([
    ['version 00', valid, 1],
    ['not sampled', `00-${TRACE}-${PARENT}-00`, 0],
    ['sampled and random', `00-${TRACE}-${PARENT}-03`, 3],
    ['flags of later versions have no meaning', `00-${TRACE}-${PARENT}-ff`, 3],
    ['flags above 0f', `00-${TRACE}-${PARENT}-10`, 0],
    ['a later version of the same length', `cc-${TRACE}-${PARENT}-01`, 1],
    ['a later version with more behind a dash', `cc-${TRACE}-${PARENT}-01-what-the-future-brings`, 1],
    ['a later version with nothing behind the dash', `01-${TRACE}-${PARENT}-01-`, 1],
    ['an id of one bit', `00-${'0'.repeat(31)}1-${'0'.repeat(15)}1-00`, 0],
  ])('takes %s', (_, header, flags) => {
    const [, traceId, parentId] = header.split('-')
    expect(parseTraceparent(header)).toEqual({ traceId, parentId, flags })
  })

  it.each([
    ['none', undefined],
    ['empty', ''],
    ['version ff', `ff-${TRACE}-${PARENT}-01`],
    ['upper-case version', `CC-${TRACE}-${PARENT}-01`],
    ['version of one digit', `0-${TRACE}-${PARENT}-01`],
    ['version that is not hex', `.0-${TRACE}-${PARENT}-01`],
    ['trace id of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['parent id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['upper-case trace id', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
    ['upper-case parent id', `00-${TRACE}-${PARENT.toUpperCase()}-01`],
    ['upper-case flags', `00-${TRACE}-${PARENT}-0A`],
    ['trace id that is not hex', `00-${TRACE.slice(1)}g-${PARENT}-01`],
    ['parent id that is not hex', `00-${TRACE}-${PARENT.slice(1)}.-01`],
    ['flags that are not hex', `00-${TRACE}-${PARENT}-.0`],
    ['short trace id', `00-${TRACE.slice(1)}-${PARENT}-01`],
    ['long trace id', `00-${TRACE}0-${PARENT}-01`],
    ['short parent id', `00-${TRACE}-${PARENT.slice(1)}-01`],
    ['long parent id', `00-${TRACE}-${PARENT}0-01`],
    ['flags of one digit', `00-${TRACE}-${PARENT}-1`],
    ['flags of three digits', `00-${TRACE}-${PARENT}-001`],
    ['version 00 with more behind it', `${valid}-x`],
    ['version 00 with a dash behind it', `${valid}-`],
    ['a later version that is too short', `cc-${TRACE}-${PARENT}-1`],
    ['a later version with more that no dash begins', `cc-${TRACE}-${PARENT}-01.x`],
    ['another separator', valid.replaceAll('-', '_')],
    ['two headers', `${valid}, ${valid}`],
    ['two headers of a later version', `cc-${TRACE}-${PARENT}-01, cc-${TRACE}-${PARENT}-01`],
    ['white space before', ` ${valid}`],
    ['white space behind', `${valid} `],
    ['a line end behind', `${valid}\n`],
  ])('begins anew for %s', (_, header) => {
    expect(parseTraceparent(header)).toBeUndefined()
  })

  it('writes what it reads', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 }), (flags) => {
        const [traceId, parentId] = [randomHex(16), randomHex(8)]
        expect(parseTraceparent(formatTraceparent(traceId, parentId, flags))).toEqual({
          traceId,
          parentId,
          flags,
        })
      }),
    )
  })
})

describe('tracestate', () => {
  const member = (index: number): string => `k${index}=v`
  const many = (count: number): string => Array.from({ length: count }, (_, index) => member(index)).join(',')

  it.each([
    ['one member', 'foo=1', 'foo=1'],
    ['several', 'foo=1,bar=2', 'foo=1,bar=2'],
    ['two headers, as Node joins them', 'foo=1, bar=2', 'foo=1,bar=2'],
    ['white space around members', 'foo=1 \t ,\t bar=2', 'foo=1,bar=2'],
    ['empty members', ',foo=1,,bar=2, ,', 'foo=1,bar=2'],
    ['a key that begins with a digit', '0foo=1', '0foo=1'],
    ['every character of a key', 'a0_-*/@z=1', 'a0_-*/@z=1'],
    ['a key of a tenant', 'fw529a3039@dt=FfAgwhhQ', 'fw529a3039@dt=FfAgwhhQ'],
    ['a key of 256 characters', `${'k'.repeat(256)}=1`, `${'k'.repeat(256)}=1`],
    ['a value of 256 characters', `k=${'v'.repeat(256)}`, `k=${'v'.repeat(256)}`],
    ['spaces inside a value', 'foo=a b', 'foo=a b'],
    ['the first of a key that comes twice', 'foo=1,bar=2,foo=3', 'foo=1,bar=2'],
    ['32 members', many(32), many(32)],
    [
      'more than 512 characters',
      `a=${'x'.repeat(250)},b=${'y'.repeat(250)},c=3`,
      `a=${'x'.repeat(250)},b=${'y'.repeat(250)},c=3`,
    ],
  ])('takes %s', (_, header, members) => {
    expect(parseTracestate(header)).toBe(members)
  })

  it.each([
    ['none', undefined],
    ['nothing but white space', ' '],
    ['nothing but commas', ',,'],
    ['no value', 'foo'],
    ['an empty value', 'foo='],
    ['an empty key', '=1'],
    ['a value with =', 'foo=1=2'],
    ['white space before =', 'foo =1'],
    ['an upper-case key', 'FOO=1'],
    ['a key that begins with @', '@foo=1'],
    ['a key that begins with -', '-foo=1'],
    ['a key with a dot', 'foo.bar=1'],
    ['a key with a space', 'foo bar=1'],
    ['a key of 257 characters', `${'k'.repeat(257)}=1`],
    ['a value of 257 characters', `k=${'v'.repeat(257)}`],
    ['a value with a control character', 'foo=a\u0001b'],
    ['a value that is not ASCII', 'foo=é'],
    ['one good and one bad member', 'foo=1,BAR=2'],
    ['33 members', many(33)],
  ])('drops %s', (_, header) => {
    expect(parseTracestate(header)).toBeUndefined()
  })
})

describe('sampling', () => {
  it('keeps the share, and decides alike for one trace', () => {
    const ids = Array.from({ length: 20_000 }, () => randomHex(16))
    const kept = ids.filter((id) => isKept(id, 0.1))
    expect(kept.length).toBeGreaterThan(1_700)
    expect(kept.length).toBeLessThan(2_300)
    expect(kept.every((id) => isKept(id, 0.1) && isKept(id, 0.5))).toBe(true)
    expect(ids.every((id) => isKept(id, 1))).toBe(true)
    expect(ids.some((id) => isKept(id, 0))).toBe(false)
  })
})
