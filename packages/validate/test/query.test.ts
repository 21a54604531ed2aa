import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type DuplicatePolicy, type Schema, validate } from '../src/index.js'

/** Runs the validator on a URL alone. @returns what it made of the query, or the error */
function query(url: string, options: Parameters<typeof validate>[0]): unknown {
  const req = { method: 'GET', url, headers: {} } as { valid?: { query: unknown } }
  let outcome: unknown
  validate(options)(req as never, {} as never, (error) => {
    outcome = error ?? req.valid?.query
  })
  return outcome
}

const anything = z.record(z.string(), z.unknown())

describe('the query string', () => {
  it.each<[string, unknown]>([
    ['/', {}],
    ['/?', {}],
    ['/?&&', {}],
    ['/?a', { a: '' }],
    ['/?a=', { a: '' }],
    ['/?=b', { '': 'b' }],
    ['/?a=b=c', { a: 'b=c' }],
    ['/?a=b?c', { a: 'b?c' }],
    ['/?a+b=c+d', { 'a b': 'c d' }],
    ['/?a%20b=%C3%A9', { 'a b': 'é' }],
    ['/?a=%zz&b=100%', { a: '%zz', b: '100%' }],
    ['/?a=%ff', { a: '\uFFFD' }],
    ['/?a[b]=c&a[]=d', { 'a[b]': 'c', 'a[]': 'd' }],
    ['/?__proto__=x&%5f_proto__=y', {}],
    ['/?toString=x&constructor=y&hasOwnProperty=z', { toString: 'x', constructor: 'y', hasOwnProperty: 'z' }],
  ])('%s is read as %j', (url, expected) => {
    expect(query(url, { query: anything })).toEqual(expected)
  })

  it('keeps unknown parameters, drops them or reports them, as the schema says', () => {
    expect(query('/?a=1&b=2', { query: z.object({ a: z.string() }) })).toEqual({ a: '1' })
    expect(query('/?a=1&b=2', { query: z.looseObject({ a: z.string() }) })).toEqual({ a: '1', b: '2' })
    expect(query('/?a=1&b=2', { query: z.strictObject({ a: z.string() }) })).toMatchObject({ status: 422 })
  })
})

describe('a parameter that comes more than once', () => {
  it.each<[DuplicatePolicy, string, unknown]>([
    ['first', '/?a=1&a=2&a=3', { a: '1' }],
    ['last', '/?a=1&a=2&a=3', { a: '3' }],
    ['array', '/?a=1&a=2&a=3&b=4', { a: ['1', '2', '3'], b: '4' }],
  ])('is read by the policy %s', (duplicates, url, expected) => {
    expect(query(url, { query: anything, duplicates })).toEqual(expected)
  })

  it('is reported by default, once per name', () => {
    expect(query('/?a=1&a=2&a=3&b=1&c=1&c=1', { query: anything })).toMatchObject({
      status: 422,
      errors: [
        { in: 'query', pointer: '#/a', detail: 'Given more than once.' },
        { in: 'query', pointer: '#/c', detail: 'Given more than once.' },
      ],
    })
  })
})

describe('an array parameter', () => {
  const schemas: [string, Schema, object][] = [
    ['zod', z.object({ tags: z.array(z.string()).optional(), since: z.coerce.date().optional() }), {}],
    ['arktype', type({ 'tags?': 'string[]' }), {}],
    ['valibot', v.object({ tags: v.optional(v.array(v.string())) }), { queryArrays: ['tags'] }],
  ]

  it.each(schemas)('of %s is an array however often it comes', (_name, schema, options) => {
    expect(query('/', { query: schema, ...options })).toEqual({})
    expect(query('/?tags=a', { query: schema, ...options })).toEqual({ tags: ['a'] })
    expect(query('/?tags=a&tags=b', { query: schema, ...options })).toEqual({ tags: ['a', 'b'] })
  })

  const list = z.array(z.string())
  const Named = z.array(z.string()).meta({ id: 'issue-21-named' })
  const ByKind = z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('a'), tag: list }),
      z.object({ kind: z.literal('b'), tag: list, other: z.string().optional() }),
    ])
    .meta({ id: 'issue-21-by-kind' })
  const Tree: z.ZodType = z.object({
    tag: list,
    get child() {
      return Tree.optional()
    },
  })

  it.each<[string, Schema]>([
    ['named by an id', z.object({ tag: Named })],
    ['nullish', z.object({ tag: list.nullish() })],
    ['named and nullish', z.object({ tag: Named.nullish() })],
    ['with a default', z.object({ tag: Named.default([]) })],
    ['a union of arrays', z.object({ tag: z.union([list, z.array(z.enum(['a'])).min(2), z.null()]) })],
    ['a tuple', z.object({ tag: z.tuple([z.string()], z.string()) })],
    ['lazy', z.object({ tag: z.lazy(() => list) })],
    ['in a schema that is named as a whole', z.object({ tag: list }).meta({ id: 'issue-21-whole' })],
    ['in an intersection', z.object({ tag: list }).and(z.object({ more: z.string().optional() }))],
    ['in a schema that refers to itself', Tree],
    ['of arktype, or null', type({ tag: 'string[] | null' })],
  ])('is found in a schema that is %s', (_name, schema) => {
    expect(query('/?tag=a', { query: schema })).toEqual({ tag: ['a'] })
    expect(query('/?tag=a&tag=b&tag=c', { query: schema })).toEqual({ tag: ['a', 'b', 'c'] })
  })

  it.each<[string, object]>([
    ['refers to itself', { anyOf: [{ $ref: '#' }, { properties: { tag: { $ref: '#/$defs/a~1b' } } }] }],
    [
      'says more of an array',
      { properties: { tag: { allOf: [{ description: 'x' }, { $ref: '#/$defs/a~1b' }] } } },
    ],
    ['names an array that refers to itself', { properties: { tag: { anyOf: [{ $ref: '#/$defs/loop' }] } } }],
  ])('is found by a JSON Schema that %s', (what, json) => {
    const $defs = {
      'a/b': { type: ['array', 'null'] },
      loop: { anyOf: [{ $ref: '#/$defs/loop' }, { type: 'array' }] },
    }
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: object) => ({ value: { ...value } }),
        jsonSchema: { input: () => ({ ...json, $defs }) },
      },
    } as unknown as Schema
    const single = what.startsWith('names') ? 'a' : ['a']
    expect(query('/?tag=a', { query: schema })).toEqual({ tag: single })
    expect(query('/?tag=a&tag=b', { query: schema })).toEqual({ tag: ['a', 'b'] })
  })

  it('is found in every branch of a discriminated union', () => {
    expect(query('/?kind=a&tag=x', { query: ByKind })).toEqual({ kind: 'a', tag: ['x'] })
    expect(query('/?kind=b&tag=x&other=y', { query: ByKind })).toEqual({ kind: 'b', tag: ['x'], other: 'y' })
    expect(query('/?kind=b&tag=x&other=y&other=z', { query: ByKind })).toMatchObject({
      errors: [{ pointer: '#/other', detail: 'Given more than once.' }],
    })
  })

  it.each<[string, Schema]>([
    ['zod', z.object({ tag: z.union([z.string(), Named]).nullish() })],
    ['arktype', type({ 'tag?': 'string | string[] | null' })],
  ])('that may be a single value too is one where it comes once: %s', (_name, schema) => {
    expect(query('/?tag=a', { query: schema })).toEqual({ tag: 'a' })
    expect(query('/?tag=a&tag=b&tag=c', { query: schema })).toEqual({ tag: ['a', 'b', 'c'] })
  })

  it.each<[string, Schema]>([
    ['anything', z.object({ tag: z.any() })],
    ['a string or a number', z.object({ tag: z.union([z.coerce.number(), z.string()]) })],
    [
      'a list that is split from a string',
      z.object({
        tag: z
          .string()
          .transform((s) => s.split(','))
          .pipe(list),
      }),
    ],
  ])('is not seen in %s', (_name, schema) => {
    expect(query('/?tag=a&tag=b', { query: schema })).toMatchObject({ status: 422 })
  })

  it('is taken from the option if it is there, not from the schema', () => {
    const schema = z.object({ tags: z.array(z.string()) })
    expect(query('/?tags=a', { query: schema, queryArrays: [] })).toMatchObject({ status: 422 })
  })

  it('does not keep a schema without JSON Schema from working', () => {
    const schema = z.object({
      get later() {
        return z.string()
      },
      on: z.custom<string>(),
    })
    expect(query('/?later=a&on=b', { query: schema })).toEqual({ later: 'a', on: 'b' })
  })
})

describe('the size of a query string', () => {
  it('is bounded in bytes', () => {
    const options = { query: anything, maxQueryBytes: 10 }
    expect(query(`/?a=${'x'.repeat(8)}`, options)).toEqual({ a: 'xxxxxxxx' })
    expect(query(`/?a=${'x'.repeat(9)}`, options)).toMatchObject({
      status: 414,
      code: 'ERR_SCALE_VALIDATION_QUERY_SIZE',
    })
    expect(query(`/?a=${'x'.repeat(8_191)}`, { query: anything })).toMatchObject({ status: 414 })
  })

  it('is bounded in parameters', () => {
    const options = { query: anything, maxQueryParameters: 3, duplicates: 'last' as const }
    expect(query('/?a=1&a=1&a=1', options)).toEqual({ a: '1' })
    expect(query('/?a=1&a=1&a=1&a=1', options)).toMatchObject({ status: 414 })
    expect(query('/?&&&', options)).toMatchObject({ status: 414 })
    expect(query(`/?${'a&'.repeat(100)}`, { query: anything })).toMatchObject({ status: 414 })
  })
})
