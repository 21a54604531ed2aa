import fc from 'fast-check'
import { serializeDictionary, serializeList } from 'structured-headers'
import { describe, expect, it } from 'vitest'
import {
  formatStructuredString,
  parseStructuredDictionary,
  parseStructuredItem,
  parseStructuredList,
} from '../src/index.js'

describe('an item', () => {
  it.each<[string, unknown, unknown]>([
    ['42', 'integer', 42],
    ['-999999999999999', 'integer', -999_999_999_999_999],
    [' 1 ', 'integer', 1],
    ['1.0', 'decimal', 1],
    ['-123456789012.125', 'decimal', -123_456_789_012.125],
    ['"a \\"b\\" \\\\"', 'string', 'a "b" \\'],
    ['""', 'string', ''],
    ['*a/b:c', 'token', '*a/b:c'],
    ['?0', 'boolean', false],
    ['@-1659578233', 'date', -1_659_578_233],
    ['%"f%c3%bc%22"', 'display', 'fü"'],
  ])('%s is read with its type', (field, type, value) => {
    expect(parseStructuredItem(field)).toEqual({ type, value, parameters: new Map() })
  })

  it('of bytes is decoded, with and without padding', () => {
    for (const field of [':aGVsbG8=:', ':aGVsbG8:']) {
      expect(parseStructuredItem(field)).toMatchObject({
        type: 'bytes',
        value: new TextEncoder().encode('hello'),
      })
    }
  })

  it.each([
    '',
    ' ',
    '\t1',
    '1 2',
    '1,2',
    '--1',
    '-',
    '1.',
    '.5',
    '1.2345',
    '1234567890123456',
    '1234567890123.1',
    '"a',
    '"a\\b"',
    '"\u00fc"',
    '?2',
    ':a b:',
    ':=aGVsbG8=:',
    '@1.5',
    '%"%C3%BC"',
    '%"%c3"',
    '%"%"',
    'a;',
    'a;A=1',
    'a;b=',
    'a; b=(1)',
    '(1)',
  ])('%j is malformed', (field) => {
    expect(parseStructuredItem(field)).toBeUndefined()
  })

  it('has parameters, of which the later one of a name counts', () => {
    const { parameters } = parseStructuredItem('a;q=1.5;b; q="x"')!
    expect([...parameters]).toEqual([
      ['q', { type: 'string', value: 'x' }],
      ['b', { type: 'boolean', value: true }],
    ])
  })
})

describe('a list', () => {
  it('may be empty, absent, in several lines, and have lists in it', () => {
    expect(parseStructuredList('')).toEqual([])
    expect(parseStructuredList(undefined)).toEqual([])
    expect(parseStructuredList(['a,b', 'c'])).toHaveLength(3)
    const [inner] = parseStructuredList('( 1  "x";a );b=2')!
    expect(inner).toMatchObject({ type: 'list', items: [{ value: 1 }, { value: 'x' }] })
    expect(inner!.parameters.get('b')).toEqual({ type: 'integer', value: 2 })
  })

  it.each(['a,', ',a', 'a,,b', 'a b', '(a', '(a,b)', '(a"b")', '((a))', 'a\t;b', 'a,\n'])(
    '%j is malformed',
    (field) => {
      expect(parseStructuredList(field)).toBeUndefined()
    },
  )
})

describe('a dictionary', () => {
  it('has values, flags with parameters, and lists', () => {
    const members = parseStructuredDictionary('a=1,\tb;x=2 , c=(1 2), a=?0')!
    expect([...members.keys()]).toEqual(['a', 'b', 'c'])
    expect(members.get('a')).toMatchObject({ type: 'boolean', value: false })
    expect(members.get('b')).toMatchObject({
      value: true,
      parameters: new Map([['x', { type: 'integer', value: 2 }]]),
    })
    expect(members.get('c')).toMatchObject({ type: 'list' })
  })

  it.each(['A=1', 'a=', 'a = 1', 'a=1,', '1', 'a=1 b=2', 'a;;b'])('%j is malformed', (field) => {
    expect(parseStructuredDictionary(field)).toBeUndefined()
  })
})

const key = fc.stringMatching(/^[a-z*][a-z0-9_.*-]{0,8}$/)
const bare = fc.oneof(
  fc
    .integer({ min: -999_999_999_999_999, max: 999_999_999_999_999 })
    .map((value) => ({ given: value, value })),
  fc.stringMatching(/^[\x20-\x7e]{0,20}$/).map((value) => ({ given: value, value })),
  fc.boolean().map((value) => ({ given: value, value })),
)
const entries = fc.uniqueArray(fc.tuple(key, bare), { selector: ([name]) => name, maxLength: 6 })

describe('what an independent writer has written', () => {
  it('is read as it was meant', () => {
    fc.assert(
      fc.property(entries, entries, (members, parameters) => {
        const given = new Map(parameters.map(([name, { given }]) => [name, given]))
        const field = serializeDictionary(
          new Map(members.map(([name, { given: value }]) => [name, [value, given]])),
        )
        const read = [...parseStructuredDictionary(field)!]
        expect(read.map(([name, member]) => [name, 'value' in member && member.value])).toEqual(
          members.map(([name, { value }]) => [name, value]),
        )
        for (const [, member] of read) {
          expect([...member.parameters].map(([name, { value }]) => [name, value])).toEqual([...given])
        }
        const list = serializeList(members.map(([, { given: value }]) => [value, given]))
        expect(parseStructuredList(list)!.map((member) => 'value' in member && member.value)).toEqual(
          members.map(([, { value }]) => value),
        )
      }),
    )
  })

  it('is what this package writes, where it is text', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\x20-\x7e]{0,40}$/), (text) => {
        expect(parseStructuredItem(formatStructuredString(text))).toMatchObject({
          type: 'string',
          value: text,
        })
      }),
    )
    expect(formatStructuredString('a\nü"')).toBe('"a\\""')
  })
})

describe('whatever a client sends', () => {
  it('is read without an error, and in linear time', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-c1-3"\\;=,()?:@%. *-]{0,60}$/), (text) => {
        for (const parse of [parseStructuredItem, parseStructuredList, parseStructuredDictionary]) parse(text)
      }),
      { numRuns: 2_000 },
    )
    const long = (part: string): string => part.repeat(1_000_000 / part.length)
    for (const part of ['a', '"', '\\"', '1', '(', '( ', 'a,', 'a;', '%"', '%22', ':a', ' ', '*']) {
      for (const opened of ['', '"', '%"', ':', 'a="']) parseStructuredDictionary(`a=${opened}${long(part)}`)
    }
  })
})
