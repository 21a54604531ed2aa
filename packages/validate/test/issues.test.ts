import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Schema } from '../src/index.js'
import { describeIssues } from '../src/issues.js'

async function issuesOf(schema: Schema, received: unknown) {
  const { issues } = await schema['~standard'].validate(received)
  return describeIssues(issues ?? [], received)
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
    ['too long to search', 'x'.repeat(20_000), 'Harmless.'],
    ['too many to search', Array(2_000).fill(1), 'Harmless.'],
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

function leavesOf(value: unknown): string[] {
  if (typeof value === 'string') return value.length >= 4 ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(leavesOf)
}
