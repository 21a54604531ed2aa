import { type } from 'arktype'
import type { Request, Response } from 'express'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Schema, validate } from '../src/index.js'
import { type Answer, majors, type Sent, serve, showError } from './support/apps.js'

interface Schemas {
  params: Schema
  body: Schema
  query: Schema
  headers: Schema
  cookies: Schema
}

const zodItem = z.strictObject({ sku: z.string().regex(/^[a-z]+$/), count: z.int().positive() })
const valibotItem = v.strictObject({
  sku: v.pipe(v.string(), v.regex(/^[a-z]+$/)),
  count: v.pipe(v.number(), v.integer()),
})

/** Strings, numbers, enums, records, unions, nested arrays and strict objects, in each library. */
const schemas: [string, Schemas][] = [
  [
    'zod',
    {
      params: z.object({ id: z.coerce.number().int() }),
      body: z.object({
        name: z.string().min(2).max(20),
        age: z.number().min(18).optional(),
        email: z.email().optional(),
        color: z.enum(['red', 'green']).optional(),
        meta: z.record(z.string(), z.number()).optional(),
        either: z.union([z.string().max(3), z.number(), zodItem]).optional(),
        items: z.array(zodItem).optional(),
        free: z.json().optional(),
      }),
      query: z.looseObject({
        page: z.coerce.number().optional(),
        tags: z.array(z.string().max(5)).optional(),
      }),
      headers: z.object({ 'x-page': z.coerce.number().optional() }),
      cookies: z.object({ theme: z.enum(['dark', 'light']).optional() }),
    },
  ],
  [
    'valibot',
    {
      params: v.object({ id: v.pipe(v.string(), v.digits()) }),
      body: v.object({
        name: v.pipe(v.string(), v.minLength(2), v.maxLength(20)),
        age: v.optional(v.pipe(v.number(), v.minValue(18))),
        email: v.optional(v.pipe(v.string(), v.email())),
        color: v.optional(v.picklist(['red', 'green'])),
        meta: v.optional(v.record(v.string(), v.number())),
        either: v.optional(v.union([v.pipe(v.string(), v.maxLength(3)), v.number(), valibotItem])),
        items: v.optional(v.array(valibotItem)),
      }),
      query: v.looseObject({
        page: v.optional(v.pipe(v.string(), v.digits())),
        tags: v.optional(v.array(v.string())),
      }),
      headers: v.object({ 'x-page': v.optional(v.pipe(v.string(), v.digits())) }),
      cookies: v.object({ theme: v.optional(v.picklist(['dark', 'light'])) }),
    },
  ],
  [
    'arktype',
    {
      params: type({ id: 'string.integer.parse' }),
      body: type({
        name: '2 <= string <= 20',
        'age?': 'number >= 18',
        'email?': 'string.email',
        'color?': '"red" | "green"',
        'meta?': { '[string]': 'number' },
        'either?': 'string <= 3 | number',
        'items?': type({ sku: /^[a-z]+$/, count: 'number.integer > 0', '+': 'reject' }).array(),
      }),
      query: type({ 'page?': 'string.integer.parse', 'tags?': 'string[]' }),
      headers: type({ 'x-page?': 'string.integer.parse' }),
      cookies: type({ 'theme?': '"dark" | "light"' }),
    },
  ],
]

// --- What is sent

const word = fc.oneof(fc.string({ maxLength: 30 }), fc.string({ unit: 'binary', maxLength: 12 }))
const known = fc.constantFrom(
  'name',
  'age',
  'email',
  'color',
  'meta',
  'either',
  'items',
  'sku',
  'count',
  'free',
)
const odd = fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', '', '0', 'then', '~standard')
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(word, fc.double(), fc.maxSafeInteger(), fc.boolean(), fc.constant(null)),
    fc.array(tie('json'), { maxLength: 5 }),
    fc
      .array(fc.tuple(fc.oneof(known, known, known, odd, word), tie('json')), { maxLength: 8 })
      .map((entries) => Object.fromEntries(entries)),
  ),
}))
const user = fc
  .tuple(fc.string({ minLength: 2, maxLength: 20 }), fc.dictionary(known, json, { maxKeys: 3 }))
  .map(([name, rest]) => ({ name, ...rest }))
const nested = fc
  .integer({ min: 1, max: 2_000 })
  .map((depth) => `{"free":${'['.repeat(depth)}${']'.repeat(depth)}}`)
const polluting = fc.constantFrom(
  '{"name":"Ada","__proto__":{"admin":true}}',
  '{"name":"Ada","constructor":{"prototype":{"admin":true}}}',
  '{"name":"Ada","meta":{"__proto__":{"admin":1}}}',
)
const body = fc.oneof(
  { weight: 5, arbitrary: fc.oneof(user, json).map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.oneof(word, nested, polluting) },
)
const contentType = fc.oneof(
  { weight: 6, arbitrary: fc.constant('application/json') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'application/json; charset=utf-8',
      'application/json; charset=utf-16',
      'application/json; charset',
      'application/merge-patch+json',
      'application/x-www-form-urlencoded',
      'text/plain',
      'application/json, text/plain',
      'APPLICATION/JSON',
    ),
  },
)

const parameter = fc.oneof(
  fc.constantFrom('page', 'tags', 'page', 'tags[]', 'tags[0]', '__proto__', '__proto__[x]', 'constructor'),
  word.map((text) => encodeURIComponent(text)),
)
const value = fc.oneof(
  word.map((text) => encodeURIComponent(text)),
  fc.constantFrom('1', '%', '%zz', '%ff%fe', '+', '=', '%00', '1'.repeat(400), 'e'.repeat(9_000)),
)
const query = fc.oneof(
  fc.constantFrom('', 'page=7'),
  fc
    .array(fc.tuple(parameter, value), { maxLength: 12 })
    .map((pairs) => pairs.map(([name, text]) => `${name}=${text}`).join('&')),
)

const headerValue = fc
  .string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .map((code) => String.fromCharCode(code === 0x7f ? 0x41 : code)),
  })
  .map((text) => text.trim())
const id = fc.oneof(
  { weight: 3, arbitrary: fc.constant('7') },
  { weight: 1, arbitrary: word.filter((text) => text !== '').map((text) => encodeURIComponent(text)) },
)

const hostile = fc.record({
  id,
  query,
  contentType,
  body,
  page: fc.oneof({ weight: 2, arbitrary: fc.constant('1') }, { weight: 1, arbitrary: headerValue }),
  cookie: fc.oneof(
    { weight: 4, arbitrary: fc.constant('theme=dark') },
    { weight: 1, arbitrary: headerValue },
    { weight: 1, arbitrary: headerValue.map((text) => `theme=${text}`) },
  ),
})
type Hostile = typeof hostile extends fc.Arbitrary<infer Value> ? Value : never

// --- What may not come back

/** Every string and number that was sent, of four characters or more. */
function sentLeaves({ id, query, body, page, cookie }: Hostile): string[] {
  const pairs = query.split('&').map((pair) => pair.slice(pair.indexOf('=') + 1))
  const cookies = cookie.split(';').map((pair) => pair.slice(pair.indexOf('=') + 1).trim())
  const leaves = [decoded(id), ...pairs, ...pairs.map(decoded), page, ...cookies, ...leavesOf(parsed(body))]
  return leaves.filter((leaf) => leaf.trim().length >= 4)
}

function leavesOf(value: unknown): string[] {
  if (typeof value === 'string' || typeof value === 'number') return [String(value)]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(leavesOf)
}

/** Names are no values: an issue may point to one. */
function sentNames({ query, body }: Hostile): string[] {
  const names: string[] = query.split('&').map((pair) => decoded(pair.split('=')[0] ?? ''))
  JSON.stringify(parsed(body), (name, value) => {
    names.push(name)
    return value
  })
  return names
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** What every answer is made of, whatever was sent. */
const ownWords = [
  '{"status":422,"code":"ERR_SCALE_VALIDATION_QUERY_SIZE_BODY_TYPE","detail":"","errors":[{"in":"","pointer":"#/',
  'The request is not valid: see `errors`. This route reads a body of type application/json.',
  'This route reads a query string of at most 8192 bytes 100 parameters. Given more than once. Not valid.',
  'Nests too deep. Has a member named __proto__.',
  'Invalid input: expected string number array object, received undefined null NaN Infinity boolean missing',
  'params query headers cookies body id page tags x-page theme "omitted":',
].join('\n')

/** The answer as sent, and its strings as a client reads them. */
function answered(answer: Answer): string {
  return [answer.text, ...leavesOf(answer.json), ...leavesOf(answer.json).map(decoded)].join('\n')
}

const runs = 900

describe.each(majors)('%s', (_name, express) => {
  it.each(schemas)(
    `answers ${runs} hostile requests to %s without a 5xx, a hang or an echo`,
    async (_library, parts) => {
      const app = express().use(express.json())
      app.post('/users/:id', validate(parts), (_req: Request, res: Response) => void res.status(204).end())
      app.use(showError)
      const send = await serve(app)
      const seen = new Map<number, number>()
      await fc.assert(
        fc.asyncProperty(hostile, async (sent) => {
          const { id, query, contentType, body, page, cookie } = sent
          const request: Sent = {
            method: 'POST',
            headers: { 'content-type': contentType, 'x-page': page, cookie },
            body,
          }
          const answer = await send(`/users/${id}?${query}`, request)
          seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1)
          expect(answer.status).toBeLessThan(500)
          const text = answered(answer)
          const names = sentNames(sent)
          const echoed = sentLeaves(sent).filter(
            (leaf) =>
              text.includes(leaf) && !ownWords.includes(leaf) && !names.some((name) => name.includes(leaf)),
          )
          expect(echoed).toEqual([])
        }),
        { numRuns: runs },
      )
      // The inputs must reach each way out, or they prove nothing.
      expect([...seen.keys()].sort()).toEqual(expect.arrayContaining([204, 400, 414, 415, 422]))
      expect(({} as Record<string, unknown>).admin).toBeUndefined()
    },
  )
})
