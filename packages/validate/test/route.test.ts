import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { route } from '../src/index.js'
import { majors, serve, showError } from './support/apps.js'

const NewUser = z.object({ name: z.string().min(2) })
const User = z.object({ id: z.number(), name: z.string() })

describe.each(majors)('%s', (_name, express) => {
  it('hands the checked parts to the handler and sends what it returns', async () => {
    const app = express().use(express.json())
    app.put(
      '/users/:id',
      route({
        params: z.object({ id: z.coerce.number() }),
        body: NewUser,
        response: User,
        handler: ({ params, body, req }) => ({ id: params.id, name: body.name, agent: req.get('host') }),
      }),
    )
    app.use(showError)
    const send = await serve(app)
    const answer = await send('/users/7', { method: 'PUT', body: { name: 'Ada' } })
    expect(answer).toMatchObject({ status: 200, json: { id: 7, name: 'Ada' } })
    const refused = await send('/users/x', { method: 'PUT', body: { name: '' } })
    expect(refused.json.errors).toHaveLength(2)
  })

  it('takes the status with the body where there is a schema per status', async () => {
    const app = express()
    app.get(
      '/:id',
      route({
        params: z.object({ id: z.string() }),
        response: { 200: User, 204: null, 404: z.object({ message: z.string() }) },
        async handler({ params }) {
          if (params.id === '0') return { status: 204 }
          if (params.id === '1') return { status: 200, body: { id: 1, name: 'Ada', hash: 'x' } }
          return { status: 404, body: { message: 'no such user' } }
        },
      }),
    )
    const send = await serve(app)
    expect(await send('/0')).toMatchObject({ status: 204, text: '' })
    expect(await send('/1')).toMatchObject({ status: 200, json: { id: 1, name: 'Ada' } })
    expect(await send('/2')).toMatchObject({ status: 404, json: { message: 'no such user' } })
  })

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('broken')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('broken')
      },
    ],
    [
      'throws nothing',
      () => {
        throw undefined
      },
    ],
    ['rejects with nothing', () => Promise.reject()],
    ['resolves to what cannot be sent', async () => ({ n: 1n })],
  ])('goes to the error handler when the handler %s', async (_how, handler) => {
    const app = express()
    app.get('/', route({ handler }))
    app.get('/', (_req, res) => void res.json('went on'))
    app.use(showError)
    const send = await serve(app)
    expect((await send('/')).status).toBe(500)
  })

  it('lets the handler answer by itself', async () => {
    const app = express()
    app.get('/a', route({ handler: ({ res }) => res.status(202).json({ a: 1 }) }))
    app.get('/b', route({ handler: ({ res }) => void res.end('b') }))
    app.get('/c', route({ response: { 200: User }, handler: ({ res }) => void res.status(404).json({}) }))
    const send = await serve(app)
    expect(await send('/a')).toMatchObject({ status: 202, json: { a: 1 } })
    expect((await send('/b')).text).toBe('b')
    expect((await send('/c')).status).toBe(404)
  })

  it.each<[string, () => unknown]>([
    ['returns undefined', () => undefined],
    ['resolves to undefined', async () => undefined],
  ])('does not hang when a handler with a declared response %s', async (_how, handler) => {
    for (const response of [User, { 200: User, 204: null }]) {
      const app = express()
      app.get('/', route({ response, handler } as never))
      app.use(showError)
      const send = await serve(app)
      expect((await send('/')).json).toMatchObject({ status: 500, code: 'ERR_SCALE_VALIDATION_NO_ANSWER' })
    }
  })

  it('waits for an answer that an async schema looks at, and for a handler that returns res', async () => {
    const slow = User.refine(
      (user) => new Promise<boolean>((resolve) => setImmediate(() => resolve(user.id > 0))),
    )
    const app = express()
    app.get('/slow', route({ response: slow, handler: ({ res }) => void res.json({ id: 1, name: 'Ada' }) }))
    app.get(
      '/later',
      route({
        response: User,
        handler({ res }) {
          setImmediate(() => res.json({ id: 2, name: 'Bob' }))
          return res
        },
      }),
    )
    app.use(showError)
    const send = await serve(app)
    expect((await send('/slow')).json).toEqual({ id: 1, name: 'Ada' })
    expect((await send('/later')).json).toEqual({ id: 2, name: 'Bob' })
  })

  it('takes a reply without a body, where the status has one or is not declared, for a mismatch', async () => {
    const app = express()
    const response = { 200: User, 204: null }
    app.get('/:status', (req, res, next) =>
      route({ response, handler: () => ({ status: Number(req.params.status) }) } as never)(req, res, next),
    )
    app.use(showError)
    const send = await serve(app)
    expect((await send('/200')).json.code).toBe('ERR_SCALE_VALIDATION_RESPONSE')
    expect((await send('/202')).json.code).toBe('ERR_SCALE_VALIDATION_RESPONSE')
    expect(await send('/204')).toMatchObject({ status: 204, text: '' })
    expect(await send('/404')).toMatchObject({ status: 404, text: '' })
  })

  it('does not let a wrong answer out', async () => {
    const app = express()
    app.get('/', route({ response: User, handler: () => ({ id: 'x' }) as never }))
    app.use(showError)
    const send = await serve(app)
    expect((await send('/')).json.code).toBe('ERR_SCALE_VALIDATION_RESPONSE')
  })
})

it('wants a handler', () => {
  expect(() => route({ body: NewUser } as never)).toThrow(/`handler`/)
  expect(() => route({ handler: () => 1, boddy: NewUser } as never)).toThrow(/Did you mean `body`/)
})
