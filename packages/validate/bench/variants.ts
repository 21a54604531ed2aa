import type { RequestHandler } from 'express'
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

/**
 * What stands before the handler. Each is loaded in a process of its own, as express-zod-safe patches the prototype
 * of the request when it is imported.
 */
export const variants: Record<string, () => Promise<RequestHandler>> = {
  bare: async () => (_req, _res, next) => next(),
  'schema.safeParse in the handler': async () => (req, res, next) => {
    const results = [params.safeParse(req.params), query.safeParse(req.query), body.safeParse(req.body)]
    if (results.every(({ success }) => success)) next()
    else res.status(422).json(results.flatMap(({ error }) => error?.issues ?? []))
  },
  'validate({ params, query, body })': async () => {
    const { validate } = await import('../src/index.js')
    return validate({ params, query, body }) as RequestHandler
  },
  'validate(…) with the response stripped': async () => {
    const { validate } = await import('../src/index.js')
    return validate({ params, query, body, response: User }) as RequestHandler
  },
  'express-zod-safe': async () => {
    const { default: validate } = await import('express-zod-safe')
    return validate({ params, query, body }) as unknown as RequestHandler
  },
}
