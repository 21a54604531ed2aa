import { accessToken, localKeys, requireScope } from '@scale/auth'
import { compose, prefetch } from '@scale/core'
import { defineProblem, errorHandler } from '@scale/errors'
import { rateLimit } from '@scale/rate-limit'
import { requireSession, session } from '@scale/session'
import * as openApiValidator from 'express-openapi-validator'
import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Contracted, contract, jsonSchemas, route, validate } from '../src/index.js'
import { type Answer, majors, type Sent, serve } from './support/apps.js'
import { documentOf } from './support/openapi.js'

const OutOfStock = defineProblem({
  type: '/problems/out-of-stock',
  title: 'Out of stock',
  status: 409,
  code: 'OUT_OF_STOCK',
})
const secret = Buffer.alloc(32, 's')
const tokens = accessToken({
  issuer: 'https://login.example/',
  audience: 'https://shop.example',
  algorithms: ['HS256'],
  keys: localKeys({ keys: [{ kty: 'oct', kid: 'k', alg: 'HS256', k: secret.toString('base64url') }] }),
})

let limiters = 0

function orderRoute() {
  return route({
    before: [
      tokens,
      requireScope('orders:write'),
      rateLimit({
        name: `orders ${++limiters}`,
        policies: [{ name: 'orders', quota: 11, windowMs: 60_000 }],
        allowMemoryStore: true,
      }),
    ],
    params: z.object({ shop: z.string() }),
    query: z.object({ notify: z.enum(['yes', 'no']).optional() }),
    body: z.object({ item: z.string().min(2), count: z.int().min(1) }),
    response: { 201: z.object({ id: z.number() }) },
    problems: [OutOfStock],
    handler: ({ body }) => {
      if (body.item === 'gone') throw new OutOfStock()
      return { status: 201, body: { id: 1 } }
    },
  })
}

async function token(scope: string): Promise<string> {
  return await new SignJWT({ client_id: 'app', scope })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: 'k' })
    .setIssuer('https://login.example/')
    .setAudience('https://shop.example')
    .setSubject('ada')
    .setIssuedAt()
    .setExpirationTime('1h')
    .setJti('1')
    .sign(secret)
}

const path = '/shops/north/orders'

/** One request for each answer that the route has. */
async function requests(): Promise<[path: string, sent: Sent][]> {
  const headers = { authorization: `Bearer ${await token('orders:write')}` }
  const body = { item: 'lamp', count: 1 }
  const other = { authorization: `Bearer ${await token('orders:read')}` }
  return [
    [path, { headers, body }],
    [path, { body }],
    [path, { headers: { authorization: 'Bearer x y' }, body }],
    [path, { headers: { authorization: 'Bearer x' }, body }],
    [path, { headers: other, body }],
    [path, { headers, body: { item: 'x', count: 0 } }],
    [`${path}?notify=perhaps`, { headers, body }],
    [`${path}?${'a&'.repeat(101)}`, { headers, body }],
    [path, { headers: { ...headers, 'content-type': 'text/plain' }, body: 'lamp' }],
    [path, { headers, body: { item: 'gone', count: 1 } }],
    [path, { headers, body }],
    [path, { headers, body }],
  ]
}

describe.each(majors)('%s', (_name, express) => {
  it('every answer of a route is in its contract, and every problem that can be provoked is answered', async () => {
    const order = orderRoute()
    const app = express().use(express.json()).post('/shops/:shop/orders', order).use(errorHandler())
    const send = await serve(app)
    const answers: Answer[] = []

    for (const [path, sent] of await requests()) answers.push(await send(path, { method: 'POST', ...sent }))
    const { problems, response } = order[contract]
    const seen = new Set<string>()
    for (const { status, json } of answers) {
      if (response?.[status as 201] !== undefined) continue
      const promised = problems.find((problem) => problem.status === status && problem.code === json.code)
      expect(promised, `${status} ${json.code}`).toBeDefined()
      expect(json.type).toBe(promised?.type ?? 'about:blank')
      seen.add(json.code)
    }
    expect([...seen].sort()).toEqual(
      problems
        .map(({ code }) => code)
        .filter((code) => code !== 'ERR_SCALE_KEYS_UNAVAILABLE')
        .sort(),
    )
  })

  it('what runs before runs before anything is checked, and its refusal is the answer', async () => {
    const order: string[] = []
    const app = express()
    app.get(
      '/',
      route({
        before: [
          async (_req: unknown, _res: unknown, next: (error?: unknown) => void) => {
            order.push('first')
            next()
          },
          async () => {
            order.push('second')
            throw Object.assign(new Error('no'), { status: 418 })
          },
        ],
        query: z.object({ wanted: z.string() }),
        handler: (): number => order.push('handler'),
      }),
    )
    app.use(errorHandler())
    const send = await serve(app)
    expect((await send('/')).status).toBe(418)
    expect(order).toEqual(['first', 'second'])
  })
})

it('all that a route demands is data', () => {
  const promised = orderRoute()[contract]
  expect(promised.security).toEqual([{ scheme: 'bearer', optional: false }])
  expect(promised.scopes).toEqual(['orders:write'])
  expect(promised.quotas).toEqual([{ name: 'orders', quota: 11, windowMs: 60_000 }])
  expect(promised.problems).toContainEqual(OutOfStock.definition)
  expect(Object.keys(promised.response!)).toEqual(['201'])
})

it('the contracts of composed middleware add up; sessions tell their cookie', () => {
  const before = [compose(session({ allowMemoryStore: true }), requireSession())]
  const promised = route({ before, handler: () => 1 })[contract]
  expect(promised.security).toEqual([{ scheme: 'cookie', name: '__Host-session', optional: true }])
  expect(promised.problems).toContainEqual({ status: 401, code: 'ERR_SCALE_SESSION_REQUIRED' })
})

it('the early reads of what runs before are started with those of the route', () => {
  const started: unknown[] = []
  const early = Object.assign((_req: never, _res: never, next: () => void) => next(), {
    [prefetch]: (req: unknown) => started.push(req),
  })
  const one = route({ before: [early], handler: () => 1 })
  const req = {} as never
  one[prefetch]!(req)
  expect(started).toEqual([req])
  expect(route({ handler: () => 1 })[prefetch]).toBeUndefined()
})

it('an OpenAPI document can be made of it, which an OpenAPI validator reads as the route does', async () => {
  const order = orderRoute()
  const express = majors[0]![1]
  const app = express().use(express.json())
  const validators = openApiValidator.middleware({
    apiSpec: documentOf('post', '/shops/{shop}/orders', order) as never,
    validateSecurity: false,
  })
  for (const one of validators as never[]) app.use(one)
  app.post('/shops/:shop/orders', (_req, res) => res.status(201).json({ id: 1 }))
  app.use(errorHandler())
  const send = await serve(app)
  const body = { item: 'lamp', count: 1 }
  expect((await send(path, { method: 'POST', body })).status).toBe(201)
  expect((await send(path, { method: 'POST', body: { item: 'x', count: 1 } })).status).toBe(400)
  expect((await send(`${path}?notify=perhaps`, { method: 'POST', body })).status).toBe(400)
  expect(
    (await send(path, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' })).status,
  ).toBe(415)
})

it.each([
  ['a handler', { handler: 7 }],
  ['middleware', { handler: () => 1, before: [7] }],
  ['problems', { handler: () => 1, problems: [{ status: '409' }] }],
  ['problems that are objects', { handler: () => 1, problems: [null] }],
] as [string, object][])('refuses wrong %s', (_what, options) => {
  expect(() => route(options as never)).toThrow(expect.objectContaining({ code: 'ERR_SCALE_INVALID_OPTION' }))
})

it('a validator has the problems of its own parts only', () => {
  const codes = (one: Contracted) => one[contract].problems.map(({ code }) => code)
  expect(codes(validate({ response: z.string() }))).toEqual([])
  expect(codes(validate({ params: z.object({}), status: 400 }))).toEqual(['ERR_SCALE_VALIDATION'])
  expect(validate({ params: z.object({}), status: 400 })[contract].problems[0]!.status).toBe(400)
  expect(jsonSchemas(validate({ query: z.object({}) }))).toHaveProperty('query')
})
