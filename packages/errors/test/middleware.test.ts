import http from 'node:http'
import { connect } from 'node:net'
import { runInRequestContext, ScaleError } from '@scale/core'
import type { Request, Response } from 'express'
import createError from 'http-errors'
import { describe, expect, it, vi } from 'vitest'
import {
  AppError,
  Conflict,
  errorHandler,
  MethodNotAllowed,
  notFound,
  ServiceUnavailable,
  TooManyRequests,
  Unauthorized,
} from '../src/index.js'
import { expectProblem } from './support/rfc9457.js'
import { type Answered, type Asked, ask, askRaw, failures, frameworks, listen } from './support/server.js'

const SECRET = 'hunter2-secret'

describe.each(frameworks)('errorHandler under %s', (_, framework) => {
  /** Answers a request whose handler does this. */
  async function failing(
    handler: (req: Request, res: Response) => unknown,
    asked: Asked = {},
  ): Promise<Answered> {
    const app = framework()
    app.use((req, res) => {
      handler(req, res)
    })
    app.use(errorHandler())
    return ask(await listen(app), asked)
  }

  function throwing(thrown: unknown, asked: Asked = {}): Promise<Answered> {
    return failing(() => {
      throw thrown
    }, asked)
  }

  describe('the body', () => {
    it('has the members of RFC 9457, code, requestId and the extensions', async () => {
      const error = new Conflict('This email is taken.', {
        code: 'USER_EXISTS',
        type: 'https://example.com/problems/user-exists',
        title: 'User exists',
        extensions: { field: 'email', hints: [1, { a: null }] },
      })
      const answered = await failing(
        (req) => {
          Object.assign(req, { id: 'req-1' })
          throw error
        },
        { path: '/v1/users?email=a@b.c' },
      )
      expectProblem(answered)
      expect(answered.status).toBe(409)
      expect(answered.json).toEqual({
        type: 'https://example.com/problems/user-exists',
        title: 'User exists',
        status: 409,
        detail: 'This email is taken.',
        instance: '/v1/users',
        code: 'USER_EXISTS',
        requestId: 'req-1',
        field: 'email',
        hints: [1, { a: null }],
      })
    })

    it('lets no extension override a member, or break the JSON', async () => {
      const cycle: Record<string, unknown> = {}
      cycle.self = cycle
      const extensions = {
        ...{ type: 'x', title: 'x', status: 200, detail: 'x', instance: 'x', code: 'x', requestId: 'x' },
        ...{ cycle, big: 1n, call: () => 1, 'not a name': 1, fine: [true], 'violated-policies': ['a'] },
        toJSON: () => 'x',
        get broken() {
          throw new Error(SECRET)
        },
        throwing: {
          toJSON() {
            throw new Error(SECRET)
          },
        },
      }
      const answered = await throwing(
        new Conflict('Taken.', { extensions: Object.defineProperty(extensions, '__proto__', { value: 1 }) }),
      )
      expectProblem(answered)
      expect(answered.json).toEqual({
        type: 'about:blank',
        title: 'Conflict',
        status: 409,
        detail: 'Taken.',
        instance: '/',
        code: 'CONFLICT',
        fine: [true],
        'violated-policies': ['a'],
      })
    })

    it('names the trace of the request, and no extension can take its name', async () => {
      const context = { requestId: 'r', traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), sampled: false }
      const app = framework()
      app.use((_req, _res, next) => runInRequestContext(context, next))
      app.use(() => {
        throw new Conflict('Taken.', { extensions: { traceId: 'x' } })
      })
      app.use(errorHandler())
      expect((await ask(await listen(app))).json.traceId).toBe(context.traceId)
      const without = await failing(() => {
        throw new Conflict('Taken.', { extensions: { traceId: 'x' } })
      })
      expect(without.json).not.toHaveProperty('traceId')
    })

    it.each<[unknown, string | undefined]>([
      ['req-1', 'req-1'],
      ['01J/AZ+az=@x:y.z_', '01J/AZ+az=@x:y.z_'],
      [17, '17'],
      ['', undefined],
      ['a b', undefined],
      ['a\r\nb', undefined],
      ['<b>', undefined],
      ['x'.repeat(129), undefined],
      [{ toString: () => 'x' }, undefined],
      [1.5, undefined],
    ])('takes the request id %j as %j', async (id, shown) => {
      const { json } = await failing((req) => {
        Object.assign(req, { id })
        throw new Error('x')
      })
      expect(json.requestId).toBe(shown)
    })

    it.each([
      ['/a/b?token=x', '/a/b'],
      ['//evil.example/x', '/evil.example/x'],
      ['/a%20b/%zz/"<x>', '/a%20b/%25zz/%22%3Cx%3E'],
      [`/${'a'.repeat(3_000)}`, undefined],
    ])('names of the address %s only the path', async (path, instance) => {
      const app = framework()
      app.use(notFound(), errorHandler())
      const text = await askRaw(
        await listen(app),
        Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 'latin1').toString(
          'latin1',
        ),
      )
      const body = JSON.parse(text.slice(text.indexOf('\r\n\r\n')))
      expect(body.instance).toBe(instance)
    })
  })

  describe('what is shown', () => {
    it.each(['production', 'development', 'test', ''])(
      'says nothing of a 5xx with NODE_ENV=%s',
      async (env) => {
        vi.stubEnv('NODE_ENV', env)
        const thrown = createError(503, SECRET, { code: 'ECONNREFUSED', title: SECRET })
        for (const accept of ['*/*', 'text/html', 'application/json']) {
          const answered = await throwing(thrown, { headers: { accept } })
          expect(answered.status).toBe(503)
          expect(answered.text).not.toContain(SECRET)
          expect(answered.text).toContain('The service cannot answer now.')
        }
        vi.unstubAllEnvs()
      },
    )

    it('shows of a 5xx what its declared kind says, never the message', async () => {
      const { json } = await throwing(
        new ServiceUnavailable(SECRET, {
          type: '/problems/maintenance',
          title: 'Maintenance',
          extensions: { until: '06:00' },
        }),
      )
      expect(json).toMatchObject({ type: '/problems/maintenance', title: 'Maintenance', until: '06:00' })
      expect(JSON.stringify(json)).not.toContain(SECRET)
    })

    it('shows of a 5xx without a kind neither title nor extensions', async () => {
      const { json } = await throwing(new AppError(500, 'x', { title: SECRET, extensions: { a: SECRET } }))
      expect(json.title).toBe('Internal Server Error')
      expect(JSON.stringify(json)).not.toContain(SECRET)
    })

    it.each([200, 302, 399, 600, 0, -1, 404.5, Number.NaN, '404', null, {}])(
      'falls back to 500 for the status %s',
      async (status) => {
        const answered = await throwing(Object.assign(new Error(SECRET), { status, expose: true }))
        expectProblem(answered)
        expect(answered.json).toMatchObject({ status: 500, code: 'ERR_SCALE_INTERNAL' })
        expect(answered.text).not.toContain(SECRET)
      },
    )

    it('takes a ScaleError of any copy by its properties', async () => {
      class Foreign extends Error {
        code = 'ERR_SCALE_FOREIGN'
        status = 429
        headers = { 'Retry-After': '7' }
        type = undefined
        title = undefined
        extensions = { policy: 'burst' }
      }
      const answered = await throwing(new Foreign('Slow down.'))
      expect(answered.headers['retry-after']).toBe('7')
      expect(answered.json).toMatchObject({
        status: 429,
        code: 'ERR_SCALE_FOREIGN',
        detail: 'Slow down.',
        policy: 'burst',
      })
      const own = await throwing(new ScaleError('Not now.', { code: 'ERR_SCALE_OWN', status: 409 }))
      expect(own.json).toMatchObject({ status: 409, code: 'ERR_SCALE_OWN', detail: 'Not now.' })
    })

    it('shows the message of http-errors where it is exposed', async () => {
      expect((await throwing(createError(404, 'No such page.'))).json).toMatchObject({
        status: 404,
        code: 'NOT_FOUND',
        detail: 'No such page.',
      })
      const hidden = await throwing(createError(404, SECRET, { expose: false }))
      expect(hidden.text).not.toContain(SECRET)
    })
  })

  describe('the format', () => {
    const firefox = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
    it.each<[name: string, accept: string | undefined, contentType: string]>([
      ['no header', undefined, 'application/problem+json'],
      ['', '', 'application/problem+json'],
      ['*/*', '*/*', 'application/problem+json'],
      ['application/*', 'application/*', 'application/problem+json'],
      ['application/json', 'application/json', 'application/json'],
      ['application/problem+json', 'application/problem+json', 'application/problem+json'],
      [
        'application/json;q=0.5, application/problem+json',
        'application/json;q=0.5, application/problem+json',
        'application/problem+json',
      ],
      ['application/json, text/plain, */*', 'application/json, text/plain, */*', 'application/json'],
      ['of a browser', firefox, 'text/html; charset=utf-8'],
      [
        'text/html;q=0.2, application/json;q=0.3',
        'text/html;q=0.2, application/json;q=0.3',
        'application/json',
      ],
      ['text/html;q=0, */*', 'text/html;q=0, */*', 'application/problem+json'],
      ['image/png', 'image/png', 'application/problem+json'],
      ['text/html;level=1;q=nonsense', 'text/html;level=1;q=nonsense', 'application/problem+json'],
      [',,,;;;q=q', ',,,;;;q=q', 'application/problem+json'],
      ['many', 'text/html,'.repeat(1_200), 'text/html; charset=utf-8'],
      ['open quotes', `${'a/b;c="'.repeat(1_500)}`, 'application/problem+json'],
      ['only semicolons', `${';'.repeat(12_000)}`, 'application/problem+json'],
    ])('for Accept: %s is negotiated', async (_name, accept, contentType) => {
      const answered = await throwing(
        new Conflict('Taken.'),
        accept === undefined ? {} : { headers: { accept } },
      )
      expect(answered.headers['content-type']).toBe(contentType)
      expect(answered.headers.vary).toBe('Accept')
      if (contentType.startsWith('application/')) expectProblem(answered)
    })

    it('escapes HTML', async () => {
      const { text, headers } = await throwing(
        new Conflict(`<script>alert("1")</script>'&`, { title: '<img src=x>' }),
        { headers: { accept: 'text/html' } },
      )
      expect(text).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;')
      expect(text).not.toMatch(/<script|<img/)
      expect(headers['content-security-policy']).toBe("default-src 'none'")
    })

    it('sends HEAD the headers of GET and no body', async () => {
      const get = await throwing(new Conflict('Taken.'))
      const head = await throwing(new Conflict('Taken.'), { method: 'HEAD' })
      expect(head.text).toBe('')
      expect(head.status).toBe(409)
      const { date: _, ...wanted } = get.headers
      expect(head.headers).toMatchObject(wanted)
    })

    it('answers OPTIONS * too', async () => {
      const app = framework()
      app.use(notFound(), errorHandler())
      const text = await askRaw(
        await listen(app),
        'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      )
      expect(text).toMatch(/^HTTP\/1.1 404 Not Found\r\n/)
      expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).not.toHaveProperty('instance')
    })
  })

  describe('headers', () => {
    const stale = {
      ...{
        ETag: '"1"',
        'Last-Modified': 'x',
        'Cache-Control': 'public, max-age=86400',
        Expires: 'x',
        Age: '1',
      },
      ...{ 'Content-Disposition': 'attachment', 'Content-Encoding': 'gzip', 'Content-Language': 'de' },
      ...{
        'Content-Range': 'bytes 0-1/2',
        'Content-Location': '/x',
        'Accept-Ranges': 'bytes',
        Location: '/x',
      },
      ...{ 'CDN-Cache-Control': 'max-age=1', 'Surrogate-Control': 'max-age=1', 'X-Accel-Expires': '60' },
      ...{ 'X-Accel-Redirect': '/secret', 'Content-Length': '7', 'Content-Type': 'text/csv', Digest: 'x' },
    }
    const kept = {
      'Access-Control-Allow-Origin': 'https://a.example',
      'Access-Control-Expose-Headers': 'X-Request-Id',
      'Content-Security-Policy': "default-src 'self'",
      'Content-Security-Policy-Report-Only': "default-src 'none'",
      'Strict-Transport-Security': 'max-age=1',
      'X-Frame-Options': 'DENY',
      'X-Request-Id': 'r1',
      RateLimit: '"burst";r=0',
      'Set-Cookie': 'a=b; Path=/',
    }

    it('drops those of the answer that was prepared, keeps CORS, security, cookies and ids', async () => {
      const answered = await failing((_req, res) => {
        for (const [name, value] of Object.entries({ ...stale, ...kept })) res.setHeader(name, value)
        res.setHeader('Vary', 'Origin')
        res.statusMessage = 'All Fine'
        throw new Conflict('Taken.')
      })
      expect(answered.json.code).toBe('CONFLICT')
      for (const [name, value] of Object.entries(kept)) {
        const got = answered.headers[name.toLowerCase()]
        expect([name, Array.isArray(got) ? got.join() : got]).toEqual([name, value])
      }
      const left = Object.keys(stale).filter((name) => answered.headers[name.toLowerCase()] !== undefined)
      expect(left.sort()).toEqual(['Cache-Control', 'Content-Length', 'Content-Type'])
      expect(answered.headers['cache-control']).toBe('no-store')
      expect(answered.headers['content-length']).toBe(String(Buffer.byteLength(answered.text)))
      expect(answered.headers.vary).toBe('Origin, Accept')
    })

    it.each(['Accept', 'accept, Origin', '*', 'Origin, ACCEPT'])('leaves Vary: %s as it is', async (vary) => {
      const { headers } = await failing((_req, res) => {
        res.setHeader('Vary', vary)
        throw new Conflict()
      })
      expect(headers.vary).toBe(vary)
    })

    it('sends those of the error', async () => {
      const challenge = 'Bearer realm="api"'
      const unauthorized = await throwing(
        new Unauthorized('Log in.', { headers: { 'WWW-Authenticate': challenge } }),
      )
      expect(unauthorized.headers['www-authenticate']).toBe(challenge)
      const method = await throwing(new MethodNotAllowed('No.', { headers: { Allow: 'GET' } }))
      expect(method.headers.allow).toBe('GET')
      const range = await throwing(createError(416, { headers: { 'Content-Range': 'bytes */7' } }))
      expect(range.headers['content-range']).toBe('bytes */7')
      const vary = await throwing(new Conflict('No.', { headers: { Vary: 'Origin' } }))
      expect(vary.headers.vary).toBe('Origin, Accept')
    })

    it.each<[unknown, string | undefined]>([
      ['7', '7'],
      [6.2, '7'],
      ['0.1', '1'],
      [0, '0'],
      ['Fri, 31 Dec 2027 23:59:59 GMT', 'Fri, 31 Dec 2027 23:59:59 GMT'],
      ['soon', undefined],
      [-3, undefined],
      [Number.POSITIVE_INFINITY, undefined],
      ['', undefined],
    ])('sends Retry-After %j as %j', async (value, sent) => {
      const answered = await throwing(createError(503, 'x', { headers: { 'Retry-After': value } }))
      expect(answered.headers['retry-after']).toBe(sent)
    })

    it('sends retryAfterMs as whole seconds, rounded up', async () => {
      const { headers } = await throwing(new TooManyRequests('Slow down.', { retryAfterMs: 1_001 }))
      expect(headers['retry-after']).toBe('2')
    })

    it('leaves out what HTTP or the answer does not allow, and does not fail', async () => {
      const headers = {
        'X-Split': 'a\r\nSet-Cookie: evil=1',
        'X-Null': 'a\0b',
        'X-Emoji': '😀',
        'X Space': '1',
        '': '1',
        'X-Object': {},
        'Content-Length': '1',
        'Content-Type': 'text/html',
        'Transfer-Encoding': 'chunked',
        Connection: 'upgrade',
        'Cache-Control': 'public',
        'Set-Cookie': 'a=b',
        'X-List': ['a', 'b'],
        get 'X-Broken'() {
          throw new Error('x')
        },
        'X-Fine': 'yes',
      }
      const answered = await throwing(createError(404, 'x', { headers }))
      expectProblem(answered)
      expect(answered.headers).toMatchObject({ 'x-fine': 'yes', 'x-list': 'a, b' })
      const present = Object.keys(answered.headers)
      for (const name of [
        'x-split',
        'x-null',
        'x-emoji',
        'x-object',
        'x-broken',
        'set-cookie',
        'transfer-encoding',
      ]) {
        expect(present).not.toContain(name)
      }
    })
  })

  describe('what is recorded', () => {
    it('is the error itself, in res.err and once on the channel', async () => {
      const messages = failures()
      const errors: unknown[] = []
      const app = framework()
      app.use((_req, res, next) => {
        res.on('finish', () => errors.push((res as { err?: unknown }).err))
        next()
      })
      const error = new Conflict('Taken.', { code: 'USER_EXISTS' })
      app.get('/', (req) => {
        Object.assign(req, { id: 'r1' })
        throw error
      })
      const handler = errorHandler()
      app.use((thrown: unknown, req: Request, res: Response, next: (error: unknown) => void) => {
        handler(thrown, req, res, next)
        next(thrown)
      })
      app.use(errorHandler())
      expect((await ask(await listen(app))).status).toBe(409)
      expect(errors).toEqual([error])
      expect(messages).toEqual([
        { error, status: 409, code: 'USER_EXISTS', outcome: 'answered', method: 'GET', requestId: 'r1' },
      ])
      expect(messages[0]!.error).toBe(error)
    })

    it.each([['text'], [42], [{ a: 1 }]])('is an Error with a stack for a throw of %j', async (thrown) => {
      const messages = failures()
      const answered = await throwing(thrown)
      expect(answered.json).toMatchObject({ status: 500, code: 'ERR_SCALE_INTERNAL' })
      expect(messages).toHaveLength(1)
      expect(messages[0]!.error).toBeInstanceOf(Error)
      expect(messages[0]!.error.cause).toBe(thrown)
      expect(messages[0]!.error.stack).toContain('at ')
    })

    it('cuts an answer that has begun', async () => {
      const messages = failures()
      const error = new Error('half-way')
      const asked = failing((_req, res) => {
        res.set('Content-Length', '100').write('half')
        throw error
      })
      await expect(asked).rejects.toMatchObject({ code: 'ECONNRESET' })
      expect(messages).toMatchObject([{ error, outcome: 'cut', status: 500 }])
    })

    it('leaves an answer that is complete', async () => {
      const messages = failures()
      const answered = await failing((_req, res) => {
        res.json({ fine: true })
        throw new Error('too late')
      })
      expect(answered).toMatchObject({ status: 200, json: { fine: true } })
      expect(messages).toMatchObject([{ outcome: 'late', status: 500 }])
    })

    it.each([
      ['an abort', (signal: AbortSignal): Error => signal.reason],
      ['a bug', (): Error => new TypeError('x is undefined')],
    ])('counts %s after the client left as 499', async (_name, errorOf) => {
      const messages = failures()
      const app = framework()
      app.get('/', (_req, res, next) => {
        const controller = new AbortController()
        res.on('close', () => {
          controller.abort()
          next(errorOf(controller.signal))
        })
        socket.destroy()
      })
      app.use(errorHandler())
      const port = await listen(app)
      const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
      await vi.waitFor(() => expect(messages).toHaveLength(1))
      expect(messages).toMatchObject([{ status: 499, code: 'ERR_SCALE_CLIENT_LEFT', outcome: 'client-left' }])
    })

    it('records a failure of the answer itself, and shows nothing of it', async () => {
      const messages = failures()
      const failed = new Error(SECRET)
      const text = failing((_req, res) => {
        res.setHeader = () => {
          throw failed
        }
        throw new Conflict('Taken.')
      })
      await expect(text).rejects.toMatchObject({ code: 'ECONNRESET' })
      expect(messages.map(({ error, outcome }) => [error.message, outcome])).toEqual([
        ['Taken.', 'answered'],
        [SECRET, 'cut'],
      ])
    })
  })

  it('keeps the connection for the next request, also after a refused upload', async () => {
    const app = framework()
    app.post('/', () => {
      throw new Conflict('Taken.')
    })
    app.get('/', (_req, res) => {
      res.send('fine')
    })
    app.use(errorHandler())
    const port = await listen(app)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    for (let round = 0; round < 3; round++) {
      const refused = await ask(port, { method: 'POST', body: Buffer.alloc(300_000, 'a'), agent })
      expect(refused.status).toBe(409)
      expect((await ask(port, { agent })).text).toBe('fine')
    }
    agent.destroy()
  })

  it('leaves the translation of errors to the app', async () => {
    class UniqueViolation extends Error {}
    const messages = failures()
    const app = framework()
    const original = new UniqueViolation('duplicate key (email)=(a@b.c)')
    app.get('/', () => {
      throw original
    })
    app.get('/other', () => {
      throw new Error('x')
    })
    app.use(
      errorHandler({
        requestId: (req) => req.headers['x-id'],
        translate: (error) => {
          if (error instanceof UniqueViolation) return new Conflict('This email is taken.')
          throw new Error('a fault in the translation')
        },
      }),
    )
    const port = await listen(app)
    const answered = await ask(port, { headers: { 'x-id': 'abc' } })
    expect(answered.json).toMatchObject({ status: 409, detail: 'This email is taken.', requestId: 'abc' })
    expect(messages[0]!.error).toBe(original)
    expect((await ask(port, { path: '/other' })).status).toBe(500)
    expect(messages.slice(1).map(({ error, status }) => [error.message, status])).toEqual([
      ['a fault in the translation', 500],
      ['x', 500],
    ])
  })
})

it('refuses unknown options', () => {
  expect(() => errorHandler({ requestID: () => '' } as object)).toThrow(
    'errorHandler: unknown option `requestID`. Did you mean `requestId`?',
  )
})
