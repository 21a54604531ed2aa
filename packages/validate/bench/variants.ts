import type { RequestText, ServerVariant, Variants } from '@scale/devkit/bench'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import { z } from 'zod'

const params = z.object({ id: z.coerce.number().int() })
const query = z.object({ page: z.coerce.number().int(), sort: z.enum(['name', 'age']).optional() })
const body = z.object({
  name: z.string().min(2).max(50),
  email: z.email(),
  age: z.number().int().min(18),
  tags: z.array(z.string()).max(10),
})
const User = z.object({ id: z.number(), name: z.string(), text: z.string() })

const middleware: Record<string, () => Promise<RequestHandler>> = {
  'schema.safeParse in the handler': async () => (req, res, next) => {
    const results = [params.safeParse(req.params), query.safeParse(req.query), body.safeParse(req.body)]
    if (results.every(({ success }) => success)) next()
    else res.status(422).json(results.flatMap(({ error }) => error?.issues ?? []))
  },
  'validate({ params, query, body })': async () => {
    const { validate } = await import('@scale/validate')
    return validate({ params, query, body }) as RequestHandler
  },
  'validate(…) with the response stripped': async () => {
    const { validate } = await import('@scale/validate')
    return validate({ params, query, body, response: User }) as RequestHandler
  },
  // It patches the prototype of the request when it is imported.
  'express-zod-safe': async () => {
    const { default: validate } = await import('express-zod-safe')
    return validate({ params, query, body }) as unknown as RequestHandler
  },
  celebrate: async () => {
    const { celebrate, Joi } = await import('celebrate')
    return celebrate(
      {
        params: Joi.object({ id: Joi.number().integer() }),
        query: Joi.object({ page: Joi.number().integer().required(), sort: Joi.valid('name', 'age') }),
        body: Joi.object({
          name: Joi.string().min(2).max(50).required(),
          email: Joi.string().email().required(),
          age: Joi.number().integer().min(18).required(),
          tags: Joi.array().items(Joi.string()).max(10).required(),
        }),
      },
      { abortEarly: false },
    )
  },
}

/** It finds the route by itself, so it stands before all of them. */
async function openApiValidator(): Promise<RequestHandler> {
  const { middleware } = await import('express-openapi-validator')
  const asJson = (schema: z.ZodType): object => z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' })
  const integer = { schema: { type: 'integer' }, required: true }
  const operation = {
    parameters: [
      { name: 'id', in: 'path', ...integer },
      { name: 'page', in: 'query', ...integer },
      { name: 'sort', in: 'query', schema: { enum: ['name', 'age'] } },
    ],
    requestBody: { required: true, content: { 'application/json': { schema: asJson(body) } } },
    responses: {
      200: { description: 'The user', content: { 'application/json': { schema: asJson(User) } } },
    },
  }
  const apiSpec = {
    openapi: '3.0.3',
    info: { title: 'Users', version: '1' },
    paths: { '/users/{id}': { post: operation } },
  }
  const { Router } = await import('express')
  return Router().use(...(middleware({ apiSpec: apiSpec as never }) as unknown as RequestHandler[]))
}

const answer = { id: 1, name: 'Ada Lovelace', text: 'x'.repeat(255) }
const onError: ErrorRequestHandler = (error, _req, res, _next) => {
  // A `CelebrateError` has no status, and its issues in a map.
  const { status = error.details ? 400 : 500, code, extensions } = error
  const errors = error.errors ?? [...(error.details?.values() ?? [])].flatMap(({ details }) => details)
  res.status(status).json({ code, errors, ...extensions })
}

function post(path: string, members: object): RequestText {
  const json = JSON.stringify({ name: 'Ada Lovelace', tags: ['a', 'b', 'c'], ...members })
  const fields = `Host: x\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}`
  const text = `POST ${path} HTTP/1.1\r\n${fields}\r\n\r\n${json}`
  return () => text
}

function server(
  validator: () => Promise<RequestHandler>,
  beforeAll?: () => Promise<RequestHandler>,
): ServerVariant {
  return {
    serve: async () => {
      const { default: express } = await import('express')
      const app = express()
      app.use(express.json())
      if (beforeAll) app.use(await beforeAll())
      app.post('/users/:id', await validator(), (_req, res) => {
        res.json(answer)
      })
      return app.use(onError)
    },
    requests: () => post('/users/7?page=2&sort=name', { age: 36, email: 'ada@example.org' }),
  }
}

/** The same, asked with one wrong member in each part. */
function refusing(accepting: ServerVariant): ServerVariant {
  return {
    ...accepting,
    requests: () => post('/users/x?page=two&sort=name', { age: 17, email: 'ada@example.org' }),
    answer: /^HTTP\/1\.1 4(00|22) /,
  }
}

const pass: RequestHandler = (_req, _res, next) => next()
const servers = [
  ...Object.entries(middleware).map(([name, make]) => [name, server(make)] as const),
  ['express-openapi-validator', server(async () => pass, openApiValidator)] as const,
]

export const variants: Variants<ServerVariant> = {
  bare: server(async () => pass),
  ...Object.fromEntries(
    servers.flatMap(([name, accepting]) => [
      [`${name}: accepted`, accepting],
      [`${name}: refused`, refusing(accepting)],
    ]),
  ),
}
