import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { AppError, errorHandler } from '../../../src/index.js'
import { expectProblem } from '../../support/rfc9457.js'
import { ask, failures, frameworks, listen } from '../../support/server.js'

/** A row of a database that is not as the program thinks. */
const row = { id: 'hunter2', password_hash: 7 }
const strangers: [name: string, parse: () => unknown][] = [
  ['zod', () => z.object({ id: z.number(), password_hash: z.string() }).parse(row)],
  ['valibot', () => v.parse(v.object({ id: v.number(), password_hash: v.string() }), row)],
  ['arktype', () => type({ id: 'number', password_hash: 'string' }).assert(row)],
  [
    'arktype, its list',
    () => {
      throw type({ id: 'number', password_hash: 'string' })(row)
    },
  ],
]

describe.each(frameworks)('a schema that something of the server does not fit, under %s', (_, framework) => {
  it.each(strangers)('is a fault of the server, and no list of its fields: %s', async (_name, parse) => {
    const messages = failures()
    const app = framework()
    app.get('/', () => {
      parse()
    })
    app.use(errorHandler())
    const answered = await ask(await listen(app))
    expectProblem(answered)
    expect(answered.json).toMatchObject({ status: 500, code: 'ERR_SCALE_INTERNAL' })
    expect(answered.text).not.toMatch(/hunter2|password_hash|"id"/)
    expect(messages).toHaveLength(1)
  })

  it('is for the client where the app says so', async () => {
    const app = framework()
    app.get('/', () => {
      z.object({ id: z.number() }).parse(row)
    })
    const translate = (error: unknown): unknown =>
      error instanceof z.ZodError ? new AppError(422, 'The id is a number.') : undefined
    app.use(errorHandler({ translate }))
    expect((await ask(await listen(app))).json).toMatchObject({ status: 422, detail: 'The id is a number.' })
  })
})
