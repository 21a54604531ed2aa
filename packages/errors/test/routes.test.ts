import type { RequestHandler } from 'express'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { asyncHandler, errorHandler, methodNotAllowed, notFound } from '../src/index.js'
import { expectProblem } from './support/rfc9457.js'
import { ask, failures, frameworks, listen } from './support/server.js'

describe.each(frameworks)('under %s', (_, framework) => {
  describe('methodNotAllowed', () => {
    async function routes(): Promise<number> {
      const app = framework()
      const ok: RequestHandler = (req, res) => {
        res.send(req.method)
      }
      app.route('/known').get(ok).patch(ok).all(methodNotAllowed())
      app.get('/spread', ok)
      app.delete('/spread', ok)
      app.all('/spread', methodNotAllowed('get', 'DELETE'))
      const router = framework.Router()
      router.route('/').post(ok).all(methodNotAllowed())
      app.use('/nested', router)
      app.all('/none', methodNotAllowed())
      app.use('/nowhere', methodNotAllowed())
      app.use(notFound(), errorHandler())
      return listen(app)
    }

    it.each([
      ['PUT', '/known', 'GET, HEAD, PATCH, OPTIONS'],
      ['POST', '/spread', 'GET, HEAD, DELETE, OPTIONS'],
      ['GET', '/nested', 'POST, OPTIONS'],
      ['HEAD', '/nested', 'POST, OPTIONS'],
    ])('answers %s %s with Allow: %s', async (method, path, allow) => {
      const answered = await ask(await routes(), { method, path })
      expect(answered.status).toBe(405)
      expect(answered.headers.allow).toBe(allow)
      if (method === 'HEAD') return
      expectProblem(answered)
      expect(answered.json.code).toBe('ERR_SCALE_METHOD_NOT_ALLOWED')
      const options = await ask(await routes(), { method: 'OPTIONS', path })
      expect([options.status, options.headers.allow, options.text]).toEqual([204, allow, ''])
    })

    it.each([
      ['GET', '/known'],
      ['PATCH', '/known'],
      ['DELETE', '/spread'],
      ['POST', '/nested'],
    ])('leaves %s %s to its handler', async (method, path) => {
      expect(await ask(await routes(), { method, path })).toMatchObject({ status: 200, text: method })
    })

    it.each(['/none', '/nowhere'])('says where it cannot know, at %s', async (path) => {
      const messages = failures()
      expect((await ask(await routes(), { path })).json).toMatchObject({
        status: 500,
        code: 'ERR_SCALE_METHODS_UNKNOWN',
      })
      expect(messages[0]!.error.message).toContain('app.route(path)')
    })
  })

  it('says that a handler of an allowed method went on', async () => {
    const app = framework()
    app
      .route('/')
      .get((_req, _res, next) => next())
      .all(methodNotAllowed())
    app.use(errorHandler())
    expect((await ask(await listen(app), { method: 'HEAD' })).status).toBe(500)
    expect((await ask(await listen(app))).json.code).toBe('ERR_SCALE_METHODS_UNKNOWN')
  })

  it('notFound answers what has no route', async () => {
    const app = framework()
    app.use(notFound(), errorHandler())
    const answered = await ask(await listen(app), { path: '/no/such?a=b' })
    expectProblem(answered)
    expect(answered.json).toMatchObject({
      status: 404,
      code: 'ERR_SCALE_ROUTE_NOT_FOUND',
      instance: '/no/such',
    })
  })

  describe('asyncHandler', () => {
    it.each<[string, () => unknown, string]>([
      ['a rejection', () => Promise.reject(new Error('x')), 'x'],
      [
        'a throw',
        () => {
          throw new Error('x')
        },
        'x',
      ],
      ['a rejection with nothing', () => Promise.reject(), 'A handler threw something that is not an Error.'],
      [
        'a rejection with null',
        () => Promise.reject(null),
        'A handler threw something that is not an Error.',
      ],
      [
        "a rejection with 'route'",
        () => Promise.reject('route'),
        'A handler threw something that is not an Error.',
      ],
      [
        "a rejection with 'router'",
        () => Promise.reject('router'),
        'A handler threw something that is not an Error.',
      ],
      [
        'a thenable that rejects',
        // biome-ignore lint/suspicious/noThenProperty: this is what is tested
        () => ({ then: (_: unknown, no: (error: Error) => void) => no(new Error('x')) }),
        'x',
      ],
    ])('hands on %s', async (_name, handler, message) => {
      const messages = failures()
      const app = framework()
      app.get('/', asyncHandler(handler))
      app.get('/', (_req, res) => {
        res.send('the next route')
      })
      app.use(errorHandler())
      expect((await ask(await listen(app))).status).toBe(500)
      expect(messages.map(({ error }) => error.message)).toEqual([message])
    })

    it('leaves success and next() alone', async () => {
      const app = framework()
      app.get(
        '/:id',
        asyncHandler(async (_req, _res, next) => {
          await Promise.resolve()
          next()
        }),
        asyncHandler(async (req, res) => {
          expectTypeOf(req.params).toHaveProperty('id')
          res.json(req.params.id)
        }),
      )
      expect((await ask(await listen(app), { path: '/7' })).json).toBe('7')
    })
  })
})

it('methodNotAllowed refuses what is no method', () => {
  expect(() => methodNotAllowed('FETCH')).toThrow('must be a method of HTTP')
  expect(() => methodNotAllowed(['GET'] as never)).not.toThrow()
})
