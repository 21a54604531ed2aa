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
}

const answer = { id: 1, name: 'Ada Lovelace', text: 'x'.repeat(255) }
const onError: ErrorRequestHandler = (error, _req, res, _next) => {
  res.status(error.status ?? 500).json({ code: error.code, ...error.extensions })
}

function post(path: string, members: object): RequestText {
  const json = JSON.stringify({ name: 'Ada Lovelace', tags: ['a', 'b', 'c'], ...members })
  const fields = `Host: x\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}`
  const text = `POST ${path} HTTP/1.1\r\n${fields}\r\n\r\n${json}`
  return () => text
}

function server(validator: () => Promise<RequestHandler>): ServerVariant {
  return {
    serve: async () => {
      const { default: express } = await import('express')
      const app = express()
      app.use(express.json())
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

const servers = Object.entries(middleware).map(([name, make]) => [name, server(make)] as const)

export const variants: Variants<ServerVariant> = {
  bare: server(async () => (_req, _res, next) => next()),
  ...Object.fromEntries(
    servers.flatMap(([name, accepting]) => [
      [`${name}: accepted`, accepting],
      [`${name}: refused`, refusing(accepting)],
    ]),
  ),
}
