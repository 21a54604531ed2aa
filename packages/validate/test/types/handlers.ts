import { compose } from '@scale/core'
import { type } from 'arktype'
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import * as v from 'valibot'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { route, type Valid, type ValidRequest, validate } from '../../src/index.js'

// What TypeScript makes of handlers behind validators. Checked by `tsc`, on the types of both majors of Express.

const app = express()
const other: RequestHandler = (_req, _res, next) => next()

const NewUser = z.object({ name: z.string(), age: z.coerce.number(), role: z.string().default('user') })
const Paging = z.object({ page: z.coerce.number() })
const Filter = z.object({ q: z.string().optional() })
const Id = z.object({ id: z.coerce.number() })
const Key = z.object({ 'x-api-key': z.string() })
const Theme = z.object({ theme: z.enum(['dark', 'light']) })
type NewUser = z.infer<typeof NewUser>

// --- A handler without annotations knows every part, whatever stands around the validator.

app.post(
  '/:id',
  other,
  validate({ body: NewUser, query: Paging, params: Id, headers: Key, cookies: Theme }),
  other,
  (req, res) => {
    expectTypeOf(req.valid.body).toEqualTypeOf<NewUser>()
    expectTypeOf(req.valid.query).toEqualTypeOf<{ page: number }>()
    expectTypeOf(req.valid.params).toEqualTypeOf<{ id: number }>()
    expectTypeOf(req.valid.headers).toEqualTypeOf<{ 'x-api-key': string }>()
    expectTypeOf(req.valid.cookies).toEqualTypeOf<{ theme: 'dark' | 'light' }>()
    res.locals.anything = req.body.name
    res.status(201).json({ any: 'body' })
  },
)

app.post('/v', validate({ body: v.object({ n: v.pipe(v.string(), v.transform(Number)) }) }), (req) => {
  expectTypeOf(req.valid.body).toEqualTypeOf<{ n: number }>()
})
app.post('/a', validate({ body: type({ n: 'string.integer.parse' }) }), (req) => {
  expectTypeOf(req.valid.body).toEqualTypeOf<{ n: number }>()
})
app.post('/list', validate({ body: z.array(z.string()) }), (req) => {
  expectTypeOf(req.valid.body).toEqualTypeOf<string[]>()
})
app.post('/union', validate({ body: z.union([z.string(), z.null(), Paging]) }), (req) => {
  expectTypeOf(req.valid.body).toEqualTypeOf<string | null | { page: number }>()
})
app.post('/maybe', validate({ body: Paging.optional() }), (req) => {
  expectTypeOf(req.valid.body).toEqualTypeOf<{ page: number } | undefined>()
})
app.post('/from-unknown', validate({ body: z.coerce.number() }), (req) => {
  expectTypeOf(req.valid.body).toEqualTypeOf<number>()
})
app.get('/async', validate({ query: Paging }), async (req, res) => {
  expectTypeOf(req.valid.query.page).toEqualTypeOf<number>()
  res.end()
})

// --- A part without a schema is unknown, and Express' own types stay as they are.

app.get('/:id', validate({ query: Paging }), (req) => {
  expectTypeOf(req.valid.body).toBeUnknown()
  expectTypeOf(req.params.id).toEqualTypeOf<string>()
})
app.get('/', (req) => {
  expectTypeOf(req.valid.body).toBeUnknown()
  expectTypeOf(req.valid.cookies).toBeUnknown()
})

// --- Validators of different parts add up; joined by compose, so do those of one part.

app.post(
  '/:id',
  validate({ params: Id }),
  other,
  validate({ body: NewUser }),
  validate({ query: Paging }),
  (req) => {
    expectTypeOf(req.valid.params).toEqualTypeOf<{ id: number }>()
    expectTypeOf(req.valid.body).toEqualTypeOf<NewUser>()
    expectTypeOf(req.valid.query).toEqualTypeOf<{ page: number }>()
  },
)
app.get('/:id', validate({ query: Paging }), validate({ query: Filter }), (req) => {
  expectTypeOf(req.valid.query).toEqualTypeOf<{ page: number }>()
})
app.get(
  '/:id',
  compose(
    validate({ query: Paging }),
    validate({ query: Filter }),
    validate({ headers: Key }),
    validate({ cookies: Theme }),
  ),
  (req) => {
    expectTypeOf(req.valid.query.page).toEqualTypeOf<number>()
    expectTypeOf(req.valid.query.q).toEqualTypeOf<string | undefined>()
    expectTypeOf(req.valid.headers).toEqualTypeOf<{ 'x-api-key': string }>()
    expectTypeOf(req.valid.cookies).toEqualTypeOf<{ theme: 'dark' | 'light' }>()
  },
)

// --- A handler that annotates its request compiles, and has the results in three ways.

const createUser = validate({ body: NewUser, query: Paging })
const withId = validate({ params: Id })

app.post('/', createUser, (req: Request, res: Response) => {
  expectTypeOf(req.valid.body).toBeUnknown()
  expectTypeOf(createUser.valid(req)).toEqualTypeOf<{ body: NewUser } & { query: { page: number } }>()
  res.end()
})
app.post('/', createUser, (req: ValidRequest<typeof createUser>, res: Response) => {
  expectTypeOf(req.valid.body).toEqualTypeOf<NewUser>()
  res.end()
})
app.post('/:id', withId, createUser, (req: ValidRequest<typeof createUser> & ValidRequest<typeof withId>) => {
  expectTypeOf(req.valid.body).toEqualTypeOf<NewUser>()
  expectTypeOf(req.valid.params).toEqualTypeOf<{ id: number }>()
})
app.post('/', createUser, (req: Request & { valid: { body: { name: string } } }) => {
  expectTypeOf(req.valid.body.name).toEqualTypeOf<string>()
})
const wantsNumber = (_req: Request & { valid: { body: { name: number } } }, _res: Response) => undefined
// @ts-expect-error -- the schema makes a string of `name`
app.post('/', createUser, wantsNumber)

interface ListQuery {
  page: string
  sort?: string
}
app.get('/:id', withId, (req: Request<{ id: string }>, res: Response) => void res.end(req.params.id))
app.post('/', createUser, (req: Request<object, unknown, NewUser, ListQuery>, res: Response) => {
  res.end(req.body.name + req.query.page)
})
app.post('/', createUser, (_req: Request, _res: Response, next: NextFunction) => next())
app.post('/', [createUser, other], (_req: Request, res: Response) => void res.end())
expectTypeOf<Valid<typeof withId>>().toEqualTypeOf<{ params: { id: number } }>()

// --- Routers take validators too. Their types end where Express' own do.

const router = express.Router({ mergeParams: true })
router.use(createUser)
app.use('/prefix', createUser, router)
router.get('/', (req) => {
  expectTypeOf(req.valid.body).toBeUnknown()
  expectTypeOf(createUser.valid(req).body).toEqualTypeOf<NewUser>()
})
router.route('/:id').post(createUser, (req, res) => void res.json(createUser.valid(req).body.age))

// --- Options are known by name.

// @ts-expect-error -- a misspelt name
validate({ boddy: NewUser })
// @ts-expect-error -- no schema
validate({ body: { name: 'string' } })
// @ts-expect-error -- no such mode
validate({ response: NewUser, responseMode: 'warn' })

// --- route() types its handler on both sides.

app.put(
  '/:id',
  route({
    params: Id,
    body: NewUser,
    response: Paging,
    handler: ({ params, body, req, res }) => {
      expectTypeOf(params).toEqualTypeOf<{ id: number }>()
      expectTypeOf(body).toEqualTypeOf<NewUser>()
      expectTypeOf(req).toEqualTypeOf<Request>()
      expectTypeOf(res).toEqualTypeOf<Response>()
      return { page: params.id }
    },
  }),
)
const response = { 200: Filter, 204: null, 404: z.object({ message: z.string() }) }
route({ response, handler: () => ({ status: 204 }) })
route({ response, handler: async () => ({ status: 404, body: { message: 'no' } }) })
route({
  params: Id,
  response,
  handler: async ({ params }) => (params.id ? { status: 204 } : { status: 200, body: {} }),
})
route({ response, handler: ({ res }) => void res.end() })
route({ handler: ({ res }) => void res.end() })
route({ handler: async () => 'anything' })
route({ query: Paging, handler: ({ query }) => query.page })
// @ts-expect-error -- a status that is not declared
route({ response, handler: () => ({ status: 500 }) })
// @ts-expect-error -- a body of another status
route({ response, handler: () => ({ status: 404, body: { q: 'x' } }) })
// @ts-expect-error -- not what the schema takes
route({ response: z.object({ q: z.string() }), handler: () => ({ q: 1 }) })
// @ts-expect-error -- a part without a schema
route({ query: Paging, handler: ({ body }) => body })
