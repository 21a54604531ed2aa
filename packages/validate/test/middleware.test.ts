import querystring from 'node:querystring'
import { compose } from '@scale/core'
import { type } from 'arktype'
import type { Request, Response } from 'express'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { NotValidated, type Schema, validate } from '../src/index.js'
import { majors, serve, showError } from './support/apps.js'
import { asyncLibraries, libraries } from './support/schemas.js'

const place = (error: { in: string; pointer: string }): string => error.in + error.pointer

function schemaOf(check: Schema['~standard']['validate']): Schema {
  return { '~standard': { version: 1, vendor: 'test', validate: check } }
}

const user = { name: 'Ada', age: 36, email: 'ada@example.org' }

describe.each(majors)('%s', (_name, express) => {
  describe.each(libraries)('$name', ({ name, user: User, search }) => {
    it('puts what the schemas make of body and query on req.valid', async () => {
      const app = express().use(express.json())
      const arrays = name === 'valibot' ? { queryArrays: ['tags'] } : {}
      app.post('/users', validate({ body: User, query: search, ...arrays }), (req, res) => {
        res.json(req.valid)
      })
      const send = await serve(app)
      const answer = await send('/users?page=2&tags=a', { body: { ...user, admin: true } })
      expect(answer.json).toEqual({ body: user, query: { page: 2, tags: ['a'] } })
    })

    it('answers with the issues of all parts in one error', async () => {
      const app = express().use(express.json())
      app.post('/users', validate({ body: User, query: search }), (_req, res) => res.end())
      app.use(showError)
      const send = await serve(app)
      const answer = await send('/users?page=two', { body: { name: 'A', age: 17, email: 'ada@example.org' } })
      expect(answer.status).toBe(422)
      expect(answer.json).toMatchObject({ status: 422, code: 'ERR_SCALE_VALIDATION' })
      expect(answer.json.errors.map(place)).toHaveLength(3)
      expect(answer.json.errors.map(place)).toEqual(
        expect.arrayContaining(['query#/page', 'body#/name', 'body#/age']),
      )
      for (const { detail } of answer.json.errors) expect(detail).toMatch(/\w/)
      expect(answer.text).not.toMatch(/two|\b17\b/)
    })

    it('calls next in the same tick when the schema answers at once', () => {
      const next = vi.fn()
      const req = { method: 'GET', url: '/?page=1', headers: {} }
      validate({ query: search })(req as never, {} as never, next)
      expect(next).toHaveBeenCalledExactlyOnceWith()
    })
  })

  it.each(asyncLibraries)('waits for an async schema of $name', async ({ free }) => {
    const app = express().use(express.json())
    app.post('/', validate({ body: free, query: z.object({}) }), (req, res) => res.json(req.valid.body))
    app.use(showError)
    const send = await serve(app)
    expect((await send('/', { body: { name: 'Ada' } })).json).toEqual({ name: 'Ada' })
    const refused = await send('/', { body: { name: 'taken' } })
    expect(refused.status).toBe(422)
    expect(refused.json.errors).toMatchObject([{ in: 'body', pointer: '#/name' }])
  })

  it('checks params, headers and cookies', async () => {
    const app = express()
    app.get(
      '/users/:id',
      validate({
        params: z.object({ id: z.coerce.number() }),
        headers: z.object({ 'x-api-key': z.string().min(3) }),
        cookies: z.object({ theme: z.enum(['dark', 'light']), q: z.string().optional() }),
      }),
      (req, res) => res.json(req.valid),
    )
    app.use(showError)
    const send = await serve(app)
    const good = await send('/users/7', {
      headers: { 'x-api-key': 'k12', cookie: 'theme=dark; q="a%20b"; theme=light; bad; =x' },
    })
    expect(good.json).toEqual({
      params: { id: 7 },
      headers: { 'x-api-key': 'k12' },
      cookies: { theme: 'dark', q: 'a b' },
    })
    const bad = await send('/users/x', { headers: { 'x-api-key': '1', cookie: 'theme=pink; q=%zz' } })
    expect(bad.json.errors.map(place)).toEqual(['params#/id', 'headers#/x-api-key', 'cookies#/theme'])
  })

  it('prefers the cookies that a parser left', async () => {
    const app = express()
    app.use((req, _res, next) => {
      req.cookies = querystring.parse('theme=dark')
      next()
    })
    app.get('/', validate({ cookies: z.object({ theme: z.string() }) }), (req, res) =>
      res.json(req.valid.cookies),
    )
    const send = await serve(app)
    expect((await send('/', { headers: { cookie: 'theme=light' } })).json).toEqual({ theme: 'dark' })
  })

  it('merges what several validators make, under routers with merged params', async () => {
    const app = express().use(express.json())
    const team = express.Router({ mergeParams: true })
    app.use(
      '/teams/:team',
      validate({ params: z.object({ team: z.coerce.number() }), query: z.object({ a: z.string() }) }),
      team,
    )
    team.post(
      '/users/:id',
      validate({ params: z.object({ id: z.coerce.number() }), query: z.object({ b: z.string() }) }),
      validate({ body: z.string().array() }),
      validate({ body: z.string().array().length(1) }),
      (req, res) => res.json(req.valid),
    )
    const send = await serve(app)
    expect((await send('/teams/3/users/4?a=1&b=2', { body: ['x'] })).json).toEqual({
      params: { team: 3, id: 4 },
      query: { a: '1', b: '2' },
      body: ['x'],
    })
  })

  it('touches nothing else on the request', async () => {
    const app = express().use(express.json())
    const before = new WeakMap<object, PropertyDescriptorMap>()
    app.use((req, _res, next) => {
      before.set(req, Object.getOwnPropertyDescriptors(req) as PropertyDescriptorMap)
      next()
    })
    const prototype = Object.getOwnPropertyDescriptors(express.request)
    app.post(
      '/:id',
      validate({
        body: z.object({ a: z.string().toUpperCase() }),
        query: z.object({ page: z.coerce.number() }),
        params: z.object({ id: z.coerce.number() }),
        headers: z.object({ host: z.string() }),
        cookies: z.object({}),
      }),
      (req, res) => {
        const changed = Object.keys(Object.getOwnPropertyDescriptors(req)).filter(
          (name) => !(name in before.get(req)!),
        )
        res.json({ changed, body: req.body, query: req.query, params: req.params })
      },
    )
    const send = await serve(app)
    const { json } = await send('/7?page=2', { body: { a: 'x', b: 1 } })
    expect(json.changed.filter((name: string) => name !== 'route')).toEqual(['valid'])
    expect(json).toMatchObject({ body: { a: 'x', b: 1 }, query: { page: '2' }, params: { id: '7' } })
    expect(Object.getOwnPropertyDescriptors(express.request)).toEqual(prototype)
  })

  it('answers 400 if asked to', async () => {
    const app = express()
    app.get('/', validate({ query: z.object({ a: z.string() }), status: 400 }), (_req, res) => res.end())
    app.use(showError)
    const send = await serve(app)
    expect((await send('/')).status).toBe(400)
  })

  it('lists a bounded number of issues and says how many more there are', async () => {
    const app = express().use(express.json())
    app.post('/', validate({ body: z.number().array(), maxIssues: 3 }), (_req, res) => res.end())
    app.use(showError)
    const send = await serve(app)
    const { json } = await send('/', { body: Array(50).fill('no') })
    expect(json.errors.map((error: { pointer: string }) => error.pointer)).toEqual(['#/0', '#/1', '#/2'])
    expect(json.omitted).toBe(47)
    const all = await send('/', { body: ['no'] })
    expect(all.json).not.toHaveProperty('omitted')
  })

  it('hands on what a schema throws, also when another one is still at work', async () => {
    const app = express()
    const broken = schemaOf(() => {
      throw new Error('broken')
    })
    const slow = schemaOf(async () => Promise.reject(new Error('slow and broken')))
    app.get('/', validate({ query: broken, headers: slow }), (_req, res) => res.end())
    app.use(showError)
    const send = await serve(app)
    expect((await send('/')).json).toEqual({ status: 500 })
  })

  it('reads its results back from any request, or says that it has not run', async () => {
    const app = express()
    const paging = validate({ query: z.object({ page: z.coerce.number() }) })
    app.get('/a', paging, (req: Request, res: Response) => {
      res.json(paging.valid(req).query.page + 1)
    })
    app.get('/b', (req, res) => res.json(paging.valid(req)))
    app.get('/c', validate({ headers: z.object({}) }), (req, res) => res.json(paging.valid(req)))
    app.use(showError)
    const send = await serve(app)
    expect((await send('/a?page=1')).json).toBe(2)
    expect((await send('/b')).json).toMatchObject({ code: 'ERR_SCALE_VALIDATION_NOT_RUN' })
    expect((await send('/c')).json).toMatchObject({ code: 'ERR_SCALE_VALIDATION_NOT_RUN' })
  })

  it('runs inside compose', async () => {
    const app = express()
    app.get(
      '/:id',
      compose(
        validate({ params: z.object({ id: z.coerce.number() }) }),
        validate({ query: z.object({ a: z.string() }) }),
      ),
      (req, res) => res.json([req.valid.params.id, req.valid.query.a]),
    )
    const send = await serve(app)
    expect((await send('/5?a=b')).json).toEqual([5, 'b'])
  })
})

it('gives schemas that want a plain object what they want, with no prototype to pollute', () => {
  const next = vi.fn()
  const req = {
    method: 'GET',
    url: '/?__proto__=1&constructor=2&__proto__[x]=3',
    headers: { cookie: '__proto__=1; a=2' },
    valid: undefined as unknown,
  }
  const record = z.record(z.string(), z.string())
  validate({ query: record, cookies: type({ '[string]': 'string' }) })(req as never, {} as never, next)
  expect(next).toHaveBeenCalledExactlyOnceWith()
  expect(req.valid).toEqual({ query: { constructor: '2', '__proto__[x]': '3' }, cookies: { a: '2' } })
  expect(({} as Record<string, unknown>).x).toBeUndefined()
})

it('names the part in the error of a validator that has not run', () => {
  const paging = validate({ query: z.object({}) })
  expect(() => paging.valid({})).toThrow(NotValidated)
  expect(() => paging.valid({})).toThrow(/`query`/)
})
