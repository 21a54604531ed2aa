import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Schema } from '../src/index.js'
import { describeIssues } from '../src/issues/issues.js'

async function issuesOf(schema: Schema, received: unknown) {
  const { issues } = await schema['~standard'].validate(received)
  return describeIssues(issues ?? [], received)
}

/** A schema made of one function. */
function answering(validate: (value: unknown) => unknown) {
  return { '~standard': { version: 1, vendor: 'test', validate } } as Schema
}

/** A schema that says whatever it is told to. */
function saying(message: string, path?: readonly (PropertyKey | { key: PropertyKey })[], expected?: string) {
  const issue = { message, path, expected }
  return {
    '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [issue] }) },
  } as unknown as Schema
}

describe('the pointer', () => {
  it.each<[(PropertyKey | { key: PropertyKey })[] | undefined, string]>([
    [undefined, '#'],
    [[], '#'],
    [['items', 0, 'name'], '#/items/0/name'],
    [[{ key: 'items' }, { key: 3 }], '#/items/3'],
    [['a/b', 'c~d'], '#/a~1b/c~0d'],
    [['größe 2'], '#/gr%C3%B6%C3%9Fe%202'],
    [['list', '{"password":"hunter2"}', 'x'], '#/list'],
    [['list', 'x'.repeat(65)], '#/list'],
    [['list', Symbol('s'), 'x'], '#/list'],
    [['list', '\ud800'], '#/list'],
    [['list', ''], '#/list'],
  ])('of %j is %s', async (path, pointer) => {
    expect(await issuesOf(saying('No.', path), {})).toEqual([{ pointer, detail: 'No.' }])
  })
})

describe('the detail', () => {
  it.each<[string, Schema, unknown, string]>([
    ['zod', z.string().min(8), 'short', 'Too small: expected string to have >=8 characters'],
    ['zod', z.string().min(8, 'Use eight characters or more.'), 'short', 'Use eight characters or more.'],
    ['zod', z.string(), 12345, 'Invalid input: expected string, received number'],
    ['zod', z.enum(['red', 'green']), 'purple', 'Invalid option: expected one of "red"|"green"'],
    ['valibot', v.number(), 'purple', 'Expected number'],
    ['valibot', v.picklist(['red', 'green']), 'pur"ple\n', 'Expected ("red" | "green")'],
    ['valibot', v.pipe(v.string(), v.email()), 'se"cret\nvalue', 'Not valid.'],
    ['arktype', type('number >= 18'), 17, 'Expected at least 18'],
    ['arktype', type('string.email'), 'pur"ple\n', 'Expected an email address'],
    ['arktype', type('string'), true, 'must be a string (was boolean)'],
  ])('of %s', async (_name, schema, received, detail) => {
    const [issue] = await issuesOf(schema, received)
    expect(issue?.detail).toBe(detail)
  })

  it.each<[string, unknown, string]>([
    ['quoted', 'hunter2', 'You sent "hunter2".'],
    ['in capitals', 'hunter2', 'HUNTER2 IS WRONG'],
    ['trimmed', '  hunter2\n', 'Not hunter2!'],
    ['inside a word of Greek capitals', 'ΟΔΟΣ', 'was ΟΔΟΣΑ'],
    ['as JSON', 'a"b\n', 'was "a\\"b\\n"'],
    ['cut short', 'a long secret that goes on', 'was "a long secre…"'],
    ['from another member', { a: { b: ['hunter2'] }, c: 1 }, 'c must not be hunter2'],
    ['a number', 42, 'was 42'],
    ['a short word', 'ab', 'was "ab"'],
    ['a boolean', true, 'was true'],
    ['a sign', '%', 'was %'],
    ['a name that is data', { '{"password":"x"}': '' }, 'Unrecognized key: {"password":"x"}'],
    ['too long to search', 'x'.repeat(1_100_000), 'Harmless.'],
    ['too many to search', Array(110_000).fill(1), 'Harmless.'],
    ['bytes', Buffer.from('abc'), 'Harmless.'],
  ])('never repeats what was received: %s', async (_how, received, message) => {
    expect(await issuesOf(saying(message), received)).toEqual([{ pointer: '#', detail: 'Not valid.' }])
    const [issue] = await issuesOf(saying(message, [], message), received)
    expect(issue?.detail).toBe('Not valid.')
  })

  it.each<[string, unknown, string]>([
    ['part of a word', 'st', 'must be a string'],
    ['part of a number', 1, 'at most 10'],
    ['a name', { email: 'x@y' }, 'Invalid email address'],
    ['an empty string', '', 'Required'],
    ['null', null, 'expected string, received null'],
    ['nothing', undefined, 'expected string, received undefined'],
    [
      'a long text that shares words',
      'they expected a string of small, valid input',
      'Too small: expected string',
    ],
  ])('keeps a message that repeats nothing: %s', async (_what, received, message) => {
    const [issue] = await issuesOf(saying(message), received)
    expect(issue?.detail).toBe(message)
  })

  it('is bounded', async () => {
    expect(await issuesOf(saying('x'.repeat(257)), {})).toEqual([{ pointer: '#', detail: 'Not valid.' }])
  })

  it('never holds a leaf of four characters or more, whatever the library quotes', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ noUnicodeString: false }),
        fc.string(),
        fc.string(),
        (received, before, after) => {
          for (const leaf of leavesOf(received)) {
            for (const quote of [leaf, JSON.stringify(leaf), leaf.toUpperCase()]) {
              const [issue] = describeIssues([{ message: `${before}${quote}${after}` }], received)
              if (issue?.detail !== 'Not valid.') expect(issue?.detail).not.toContain(leaf)
            }
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('a message that holds something received', () => {
  const words = 'Use 8 characters or more.'
  const password = z.string().min(8, words)

  function details(schema: Schema, received: unknown) {
    const { issues } = schema['~standard'].validate(received) as { issues: [] }
    return describeIssues(issues, received, schema).map(({ detail }) => detail)
  }

  it.each<[string, Schema, unknown]>([
    ['a number', z.object({ password, floor: z.number() }), { password: 'short', floor: 8 }],
    ['a word', z.object({ password, floor: z.string() }), { password: 'short', floor: 'characters' }],
    ['the whole sentence', z.object({ password, note: z.string() }), { password: 'short', note: words }],
    [
      'a part of it',
      z.object({ password, note: z.string() }),
      { password: 'x', note: 'why Use 8 characters' },
    ],
    ['the very value', z.object({ agree: z.string().length(3, 'Write yes.') }), { agree: 'Write' }],
    ['a boolean', z.object({ a: z.literal(1, 'Must be true.'), b: z.boolean() }), { a: 2, b: true }],
    ['a name', z.object({ password }).loose(), { password: 'x', 'Use 8 characters or more.': 1 }],
    ['in a list', z.object({ password, list: z.number().array() }), { password: 'x', list: [1, 8, 9] }],
    [
      'of the whole part',
      z.object({ a: z.string(), b: z.number() }).refine(() => false, words),
      { a: 'Use', b: 8 },
    ],
    [
      'in valibot',
      v.object({ password: v.pipe(v.string(), v.minLength(8, words)), floor: v.number() }),
      { password: 'short', floor: 8 },
    ],
  ])('by coincidence passes: %s', (_what, schema, received) => {
    expect(details(schema, received)).not.toContain('Not valid.')
  })

  it.each<[string, Schema, unknown]>([
    [
      'of its own place',
      z.object({ a: z.string().min(9, { error: (i) => `not ${i.input}` }) }),
      { a: 'hunter2' },
    ],
    [
      'of another place',
      z.object({ a: z.string(), b: z.string() }).superRefine((all, context) => {
        context.addIssue({ code: 'custom', path: ['b'], message: `not ${all.a.toUpperCase()}` })
      }),
      { a: 'hunter2', b: 'x' },
    ],
    ['a number', z.object({ a: z.number().max(3, { error: (i) => `not ${i.input}` }) }), { a: 42 }],
    ['a sign', z.object({ a: z.string().min(3, { error: (i) => `not ${i.input}` }) }), { a: '%' }],
    [
      'cut short',
      z.string().min(99, { error: (i) => `${String(i.input).slice(0, 14)}…` }),
      'a long secret that goes on',
    ],
    ['a name that is data', z.strictObject({}), { 'is "hunter2"!': 1 }],
    ['not in ASCII', z.string().min(99, { error: (i) => `not ${i.input}` }), 'größe'],
    [
      'that only stands there for this value',
      z.object({ a: z.string().refine((a) => a !== 'hunter2', 'not hunter2') }),
      { a: 'hunter2' },
    ],
    ['in arktype', type({ a: 'string.email' }), { a: 'hunter2' }],
    [
      'in an object that cannot be copied',
      z.custom<{ a: string }>(() => false, { error: (i) => `not ${(i.input as { a: string }).a}` }),
      new (class {
        a = 'hunter2'
      })(),
    ],
  ])('as a quote does not pass: %s', (_what, schema, received) => {
    const said = JSON.stringify(details(schema, received))
    expect(said).not.toMatch(/hunter2|42|%|größe|a long secre/i)
    expect(said).toMatch(/Not valid\.|Expected/)
  })

  it('counts as a quote where the schema throws or takes its time when it is asked again', async () => {
    const quoted = { issues: [{ message: 'not hunter2' }] }
    for (const again of [
      () => Promise.reject(new Error('late')),
      () => {
        throw new Error('broken')
      },
    ]) {
      const schema = answering((value) => (value === 'hunter2' ? quoted : again()))
      expect(details(schema, 'hunter2')).toEqual(['Not valid.'])
      await new Promise((resolve) => setImmediate(resolve))
    }
  })

  it('is never a quote, whatever the place and the form (generated)', () => {
    const quotes: ((text: string) => string)[] = [
      (text) => text,
      (text) => JSON.stringify(text),
      (text) => text.toUpperCase(),
      (text) => text.trim(),
      (text) => text.slice(0, 14),
    ]
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9 ]{4,40}$/))
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(text, fc.integer(), fc.boolean()), {
          minKeys: 1,
        }),
        fc.constantFrom(...quotes),
        fc.string(),
        (received, quote, around) => {
          const schema = answering((given) => ({
            issues: Object.entries(given as object).map(([name, value]) => ({
              path: [name],
              message: `${around} "${quote(String(value))}" ${around}`,
            })),
          }))
          for (const [index, value] of Object.values(received).entries()) {
            if (String(value).trim() === '') continue
            expect(details(schema, received)[index]).toBe('Not valid.')
          }
        },
      ),
      { numRuns: 1_000, examples: [[{ c: true, b: false, a: 'b' }, (text) => text, '']] },
    )
  })

  it('takes time that grows with the body, not with body times issues', () => {
    const items = Array.from({ length: 2_000 }, (_, index) => ({
      sku: `sku-${index}`,
      note: `a note of some length, number ${index}`,
    }))
    const schema = z.object({ items: z.array(z.object({ sku: z.string(), note: z.string().max(3) })) })
    const received = { items }
    const { issues } = schema['~standard'].validate(received) as { issues: [] }
    const start = performance.now()
    describeIssues(issues, received, schema)
    // About 10 ms for 2,000 issues; every issue against every value would be 8 million comparisons.
    expect(performance.now() - start).toBeLessThan(2_000)
  })
})

function leavesOf(value: unknown): string[] {
  if (typeof value === 'string') return value.length >= 4 ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(leavesOf)
}
