import type { ErrorRequestHandler } from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import {
  type ResponseFailureMessage,
  ResponseMismatch,
  type ResponseMode,
  responseFailure,
  validate,
} from '../src/index.js'
import { majors, serve, showError } from './support/apps.js'
import { asyncLibraries, libraries } from './support/schemas.js'

function heard(): ResponseFailureMessage[] {
  const messages: ResponseFailureMessage[] = []
  onTestFinished(responseFailure.subscribe((message) => messages.push(message)))
  return messages
}

const User = z.object({ id: z.number(), name: z.string() })
const good = { id: 1, name: 'Ada' }
const leaking = { ...good, passwordHash: '$argon2id$secret' }
const wrong = { id: 'not-a-number', name: 'Ada' }

describe.each(majors)('%s', (_name, express) => {
  /** One route that answers with `body` and `status`. */
  function app(options: Parameters<typeof validate>[0], body: unknown, status = 200) {
    const made = express()
    made.get('/users/:id', validate(options), (_req, res) => {
      res.status(status).json(body)
    })
    made.use(showError)
    return serve(made)
  }

  it.each<[ResponseMode, unknown, unknown]>([
    ['off', leaking, leaking],
    ['off', wrong, wrong],
    ['log', leaking, leaking],
    ['log', wrong, wrong],
    ['enforce', leaking, leaking],
    ['strip', leaking, good],
  ])('mode %s sends %j as %j', async (responseMode, body, sent) => {
    const send = await app({ response: User, responseMode }, body)
    expect((await send('/users/1')).json).toEqual(sent)
  })

  it.each<ResponseMode>(['enforce', 'strip'])(
    'mode %s answers a mismatch with 500 and says nothing',
    async (responseMode) => {
      const messages = heard()
      const send = await app({ response: User, responseMode }, wrong)
      const answer = await send('/users/1')
      expect(answer.json).toMatchObject({ status: 500, code: 'ERR_SCALE_VALIDATION_RESPONSE' })
      expect(answer.text).not.toMatch(/not-a-number|Ada/)
      expect(messages).toEqual([
        {
          status: 200,
          mode: responseMode,
          issues: [{ pointer: '#/id', detail: 'Invalid input: expected number, received string' }],
          omitted: 0,
          method: 'GET',
          route: '/users/:id',
        },
      ])
    },
  )

  it('says in the error which member, and what was expected, without anyone listening', async () => {
    const made = express()
    let error: ResponseMismatch | undefined
    made.get('/', validate({ response: z.array(User) }), (_req, res) => {
      res.json(Array(150).fill(wrong))
    })
    made.use(((thrown, _req, res, _next) => {
      error = thrown
      res.status(500).end()
    }) satisfies ErrorRequestHandler)
    const send = await serve(made)
    await send('/')
    expect(error).toBeInstanceOf(ResponseMismatch)
    expect(error?.message).toMatch(
      /status 200 .*#\/0\/id: Invalid input: expected number, received string .*#\/4\/id.* And 145 more\.$/,
    )
    expect(error?.issues).toHaveLength(100)
    expect(error?.omitted).toBe(50)
    expect(`${error?.message}${JSON.stringify(error)}`).not.toMatch(/not-a-number|Ada/)
  })

  it('mode log publishes a mismatch', async () => {
    const messages = heard()
    const send = await app({ response: User, responseMode: 'log' }, wrong)
    expect((await send('/users/1')).json).toEqual(wrong)
    expect(messages).toMatchObject([{ mode: 'log', issues: [{ pointer: '#/id' }] }])
  })

  it('strips by default', async () => {
    const send = await app({ response: User }, leaking)
    expect((await send('/users/1')).json).toEqual(good)
  })

  it.each(libraries)('strips with $name', async ({ user }) => {
    const body = { name: 'Ada', age: 36, email: 'ada@example.org' }
    const send = await app({ response: user }, { ...body, hash: 'x' })
    expect((await send('/users/1')).json).toEqual(body)
  })

  it.each(asyncLibraries)('waits for an async schema of $name', async ({ free }) => {
    const messages = heard()
    const send = await app({ response: free }, { name: 'Ada', hash: 'x' })
    expect((await send('/users/1')).json).toEqual({ name: 'Ada' })
    const refused = await app({ response: free }, { name: 'taken' })
    expect((await refused('/users/1')).status).toBe(500)
    expect(messages).toMatchObject([{ issues: [{ pointer: '#/name' }] }])
  })

  it('chooses the schema by status, then by class, then the default', async () => {
    const tag = (name: string) => z.object({}).transform(() => name)
    const response = { 201: tag('201'), '2XX': tag('2XX'), 404: tag('404'), default: tag('default') }
    for (const [status, sent] of [
      [201, '201'],
      [200, '2XX'],
      [404, '404'],
      [409, 'default'],
    ] as const) {
      const send = await app({ response }, {}, status)
      expect(await send('/users/1')).toMatchObject({ status, json: sent })
    }
  })

  it('takes a success that is not declared, or a body where none is, for a mismatch', async () => {
    const undeclared = await app({ response: { 200: User } }, good, 201)
    expect((await undeclared('/users/1')).status).toBe(500)
    const bodiless = await app({ response: { 202: null } }, good, 202)
    expect((await bodiless('/users/1')).status).toBe(500)
    const error = await app({ response: { 200: User } }, { message: 'no' }, 409)
    expect(await error('/users/1')).toMatchObject({ status: 409, json: { message: 'no' } })
  })

  it('covers res.send of an object, leaves text alone, and ends with the request', async () => {
    const made = express()
    made.get('/object', validate({ response: User }), (_req, res) => void res.send(leaking))
    made.get('/text', validate({ response: User }), (_req, res) => void res.send('text'))
    made.get('/free', (_req, res) => void res.json(leaking))
    const send = await serve(made)
    expect((await send('/object')).json).toEqual(good)
    expect((await send('/text')).text).toBe('text')
    expect((await send('/free')).json).toEqual(leaking)
  })

  it('publishes and fails closed when the schema throws, but answers in mode log', async () => {
    const messages = heard()
    const throwing = z.object({}).transform(() => {
      throw new Error('broken')
    })
    const enforcing = await app({ response: throwing }, {})
    expect((await enforcing('/users/1')).status).toBe(500)
    const logging = await app({ response: throwing, responseMode: 'log' }, {})
    expect((await logging('/users/1')).status).toBe(200)
    expect(messages).toMatchObject([{ mode: 'strip' }, { mode: 'log' }])
  })

  it('hands on the error of a second answer that comes while the schema is at work', async () => {
    const made = express()
    let late: unknown
    const [{ free }] = asyncLibraries as [(typeof asyncLibraries)[number]]
    const done = new Promise<void>((resolve) => {
      made.get('/', validate({ response: free }), (_req, res) => {
        res.json({ name: 'first' })
        res.json({ name: 'second' })
      })
      made.use((error: unknown, _req: unknown, _res: unknown, _next: unknown) => {
        late = error
        resolve()
      })
    })
    const send = await serve(made)
    expect((await send('/')).json).toEqual({ name: 'first' })
    await done
    expect(late).toMatchObject({ code: 'ERR_HTTP_HEADERS_SENT' })
  })

  it('bounds what it publishes, and publishes no value', async () => {
    const messages = heard()
    const send = await app({ response: z.number().array() }, Array(150).fill('hunter2'))
    expect((await send('/users/hunter2')).status).toBe(500)
    expect(messages[0]?.issues).toHaveLength(100)
    expect(messages[0]?.omitted).toBe(50)
    expect(JSON.stringify(messages)).not.toContain('hunter2')
  })
})
