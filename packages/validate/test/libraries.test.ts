import { type } from 'arktype'
import express from 'express'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import * as zm from 'zod/mini'
import { type Schema, validate } from '../src/index.js'
import { multipart } from '../src/multipart/index.js'
import { serve, showError } from './support/apps.js'

/** One schema in four libraries: a list, a list of numbers, a nullable list, one or several, a text, a number, a default. */
const schemas: [library: string, schema: Schema][] = [
  [
    'zod',
    z.object({
      tags: z.array(z.string()).optional(),
      ids: z.array(z.coerce.number().int()).optional(),
      names: z.array(z.string().min(2)).nullish(),
      either: z.union([z.string(), z.array(z.string())]).optional(),
      text: z.string().min(2).optional(),
      page: z.coerce.number().int().optional(),
      sort: z.enum(['up', 'down']).default('up'),
    }),
  ],
  [
    'zod/mini',
    zm.object({
      tags: zm.optional(zm.array(zm.string())),
      ids: zm.optional(zm.array(zm.coerce.number().check(zm.int()))),
      names: zm.nullish(zm.array(zm.string().check(zm.minLength(2)))),
      either: zm.optional(zm.union([zm.string(), zm.array(zm.string())])),
      text: zm.optional(zm.string().check(zm.minLength(2))),
      page: zm.optional(zm.coerce.number().check(zm.int())),
      sort: zm._default(zm.enum(['up', 'down']), 'up'),
    }),
  ],
  [
    'valibot',
    v.object({
      tags: v.optional(v.array(v.string())),
      ids: v.optional(v.array(v.pipe(v.string(), v.transform(Number), v.integer()))),
      names: v.nullish(v.array(v.pipe(v.string(), v.minLength(2)))),
      either: v.optional(v.union([v.string(), v.array(v.string())])),
      text: v.optional(v.pipe(v.string(), v.minLength(2))),
      page: v.optional(v.pipe(v.string(), v.transform(Number), v.integer())),
      sort: v.optional(v.picklist(['up', 'down']), 'up'),
    }),
  ],
  [
    'arktype',
    type({
      'tags?': 'string[]',
      'ids?': type('string').pipe(Number).to('number.integer').array(),
      'names?': '(string >= 2)[] | null',
      'either?': 'string | string[]',
      'text?': 'string >= 2',
      'page?': type('string').pipe(Number).to('number.integer'),
      sort: "'up' | 'down' = 'up'",
      '+': 'delete',
    }),
  ],
]

const names = ['tags', 'ids', 'names', 'either', 'text', 'page', 'sort', 'unknown']
const values = ['7', 'ab', 'x', '', 'up', 'sideways']
type Pairs = [name: string, value: string][]

/** Answers with the value, or with where it is refused: the words are each library's own. */
async function asking(
  schema: Schema,
): Promise<Record<'query' | 'form' | 'multipart', (pairs: Pairs) => Promise<unknown>>> {
  const app = express()
  app.get('/query', validate({ query: schema }), (req, res) => void res.json(req.valid.query))
  const forms = ['application/x-www-form-urlencoded', 'multipart/form-data']
  const check = validate({ body: schema, bodyTypes: forms })
  app.post(
    '/form',
    express.urlencoded({ extended: false }),
    check,
    (req, res) => void res.json(req.valid.body),
  )
  const parser = multipart({ files: {}, store: () => undefined })
  app.post('/multipart', parser, check, (req, res) => void res.json(req.valid.body))
  app.use(showError)
  const send = await serve(app)

  async function answer(path: string, sent?: object): Promise<unknown> {
    const { status, json } = await send(path, sent)
    return status === 200
      ? json
      : { status, at: [...new Set(json.errors.map(({ pointer }: { pointer: string }) => pointer))].sort() }
  }
  return {
    query: (pairs) => answer(`/query?${new URLSearchParams(pairs)}`),
    form: (pairs) =>
      answer('/form', {
        method: 'POST',
        headers: { 'content-type': forms[0] },
        body: String(new URLSearchParams(pairs)),
      }),
    multipart: (pairs) => {
      const parts = pairs.map(
        ([n, value]) => `--X\r\nContent-Disposition: form-data; name="${n}"\r\n\r\n${value}\r\n`,
      )
      return answer('/multipart', {
        method: 'POST',
        headers: { 'content-type': 'multipart/form-data; boundary=X' },
        body: `${parts.join('')}--X--\r\n`,
      })
    },
  }
}

describe.each(['query', 'form', 'multipart'] as const)('a %s', (kind) => {
  it('means the same to every library', async () => {
    const asked = await Promise.all(
      schemas.map(async ([library, schema]) => [library, await asking(schema)] as const),
    )
    const pair = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...values))
    await fc.assert(
      fc.asyncProperty(fc.array(pair, { maxLength: 4 }), async (pairs) => {
        // The one difference: see below.
        fc.pre(kind !== 'query' || pairs.filter(([name]) => name === 'either').length < 2)
        const answers = await Promise.all(
          asked.map(async ([library, ask]) => [library, await ask[kind](pairs)] as const),
        )
        const reference = answers[0]![1]
        expect(Object.fromEntries(answers)).toEqual(
          Object.fromEntries(answers.map(([library]) => [library, reference])),
        )
      }),
      { numRuns: 200 },
    )
  })
})

it.each(schemas)('a parameter that is a string or a list, twice: %s', async (library, schema) => {
  const { query } = await asking(schema)
  const saysSo = library === 'zod' || library === 'arktype'
  expect(
    await query([
      ['either', 'a'],
      ['either', 'b'],
    ]),
  ).toEqual(saysSo ? { sort: 'up', either: ['a', 'b'] } : { status: 422, at: ['#/either'] })
})

it('an async schema is asked once, with strings', async () => {
  const asked: unknown[] = []
  const schema: Schema = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (value) => {
        asked.push({ ...(value as object) })
        return { issues: [{ message: 'no', path: ['tags'] }] }
      },
    },
  }
  const { query } = await asking(schema)
  expect(await query([['tags', 'a']])).toEqual({ status: 422, at: ['#/tags'] })
  expect(
    await query([
      ['tags', 'a'],
      ['tags', 'b'],
    ]),
  ).toEqual({ status: 422, at: ['#/tags'] })
  expect(asked).toEqual([{ tags: 'a' }, { tags: 'a' }])
})
