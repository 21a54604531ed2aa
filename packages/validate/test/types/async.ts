import { asyncHandler } from '@scale/errors'
import express, { type Request, type Response, Router } from 'express'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { type ValidRequest, validate } from '../../src/index.js'

// What is left of the types of a validator behind asyncHandler, in an app and in a router, on both majors of Express.

const NewUser = z.object({ name: z.string(), age: z.coerce.number() })
type NewUser = z.infer<typeof NewUser>
const Paging = z.object({ page: z.coerce.number() })
const Id = z.object({ id: z.coerce.number() })
const Key = z.object({ 'x-api-key': z.string() })

const createUser = validate({ body: NewUser })

const router = Router()

router.post(
  '/:id',
  validate({ body: NewUser, query: Paging, params: Id, headers: Key }),
  asyncHandler(async (req, res) => {
    expectTypeOf(req.valid.body).toEqualTypeOf<NewUser>()
    expectTypeOf(req.valid.query).toEqualTypeOf<{ page: number }>()
    expectTypeOf(req.valid.params).toEqualTypeOf<{ id: number }>()
    expectTypeOf(req.valid.headers).toEqualTypeOf<{ 'x-api-key': string }>()
    res.status(201).json({ any: 'body' })
  }),
)
router.post(
  '/two',
  validate({ body: NewUser }),
  validate({ query: Paging }),
  asyncHandler(async (req) => {
    expectTypeOf(req.valid.body).toEqualTypeOf<NewUser>()
    expectTypeOf(req.valid.query).toEqualTypeOf<{ page: number }>()
  }),
)
router.post(
  '/plain',
  asyncHandler(async (req: Request, res: Response) => void res.json(req.valid.body)),
)
router.post(
  '/annotated',
  createUser,
  asyncHandler(async (req: ValidRequest<typeof createUser>, res: Response) => {
    expectTypeOf(req.valid.body).toEqualTypeOf<NewUser>()
    res.end()
  }),
)
router.get(
  '/nothing',
  asyncHandler(async (req) => {
    expectTypeOf(req.valid.body).toBeUnknown()
  }),
)

const app = express()

app.post(
  '/:id',
  validate({ body: NewUser, query: Paging, params: Id, headers: Key }),
  asyncHandler(async (req, res) => {
    expectTypeOf(req.valid.body).toEqualTypeOf<NewUser>()
    expectTypeOf(req.valid.query).toEqualTypeOf<{ page: number }>()
    expectTypeOf(req.valid.params).toEqualTypeOf<{ id: number }>()
    expectTypeOf(req.valid.headers).toEqualTypeOf<{ 'x-api-key': string }>()
    res.status(201).json({ any: 'body' })
  }),
)
app.post(
  '/two',
  validate({ body: NewUser }),
  validate({ query: Paging }),
  asyncHandler(async (req) => {
    expectTypeOf(req.valid.body).toEqualTypeOf<NewUser>()
    expectTypeOf(req.valid.query).toEqualTypeOf<{ page: number }>()
  }),
)
app.post(
  '/plain',
  asyncHandler(async (req: Request, res: Response) => void res.json(req.valid.body)),
)
app.post(
  '/annotated',
  createUser,
  asyncHandler(async (req: ValidRequest<typeof createUser>, res: Response) => {
    expectTypeOf(req.valid.body).toEqualTypeOf<NewUser>()
    res.end()
  }),
)
app.get(
  '/nothing',
  asyncHandler(async (req) => {
    expectTypeOf(req.valid.body).toBeUnknown()
  }),
)
