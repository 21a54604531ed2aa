import { once } from 'node:events'
import { connect } from 'node:net'
import { channel, requestContext } from '@scale/core'
import { errorHandler, notFound } from '@scale/errors'
import type { Express } from 'express'
import { describe, expect, it } from 'vitest'
import { log, type RequestLoggerOptions, requestLogger, traceHeaders } from '../src/index.js'
import type { Lines } from './support/lines.js'
import { ask, frameworks, listen, recorded, untilLines } from './support/server.js'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const traceparent = `00-${TRACE}-${PARENT}-01`

describe.each(frameworks)('requestLogger under %s', (_, framework) => {
  async function serve(
    setup: (app: Express) => void,
    options: Partial<RequestLoggerOptions> = {},
  ): Promise<{ port: number; lines: Lines }> {
    const { lines, logger } = recorded()
    const app = framework()
    app.use(requestLogger({ logger, ...options }))
    setup(app)
    app.use(notFound(), errorHandler())
    return { port: await listen(app), lines }
  }
  const answering = (app: Express): void => {
    app.get('/users/:id', (_req, res) => {
      res.json({ id: 1 })
    })
  }

  describe('the line', () => {
    it('has what an operator asks for', async () => {
      const { port, lines } = await serve(answering)
      const { headers } = await ask(port, '/users/7?token=abc', { traceparent })
      const [line] = await untilLines(lines, 1)
      expect(line).toEqual({
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        'process.pid': process.pid,
        request_id: headers['x-request-id'],
        trace_id: TRACE,
        span_id: expect.stringMatching(/^(?!b7ad6b7169203331)[0-9a-f]{16}$/),
        trace_flags: '01',
        'http.request.method': 'GET',
        'http.route': '/users/:id',
        'url.path': '/users/7',
        'http.response.status_code': 200,
        duration_ms: expect.any(Number),
        'http.response.body.size': 8,
        'client.address': '127.0.0.1',
        msg: 'request completed',
      })
    })

    it.each([
      [200, 'info', 'request completed'],
      [304, 'info', 'request completed'],
      [404, 'info', 'request refused'],
      [401, 'warn', 'request refused'],
      [403, 'warn', 'request refused'],
      [429, 'warn', 'request refused'],
      [500, 'error', 'request failed'],
      [503, 'error', 'request failed'],
    ])('of status %i has level %s', async (status, level, msg) => {
      const { port, lines } = await serve((app) => {
        app.get('/', (_req, res) => {
          res.status(status).end()
        })
      })
      await ask(port, '/')
      expect(await untilLines(lines, 1)).toMatchObject([{ level, msg, 'http.response.status_code': status }])
    })

    it('of a failure has the true error, its stack and its causes', async () => {
      function deepDown(): never {
        throw new TypeError('not this', { cause: new RangeError('but that') })
      }
      const { port, lines } = await serve((app) => {
        app.use('/v1/:tenant', framework.Router().get('/fail', deepDown))
      })
      const { text } = await ask(port, '/v1/acme/fail')
      const [line] = await untilLines(lines, 1)
      expect(line).toMatchObject({
        level: 'error',
        'http.route': '/v1/:tenant/fail',
        'http.response.status_code': 500,
        'error.type': 'TypeError',
        err: {
          type: 'TypeError',
          message: 'not this',
          stack: expect.stringMatching(/^TypeError: not this\n {4}at deepDown /),
          cause: { type: 'RangeError', stack: expect.stringMatching(/ at deepDown /) },
        },
      })
      expect(JSON.parse(text)).toMatchObject({ requestId: line!.request_id, traceId: line!.trace_id })
    })

    it.each([
      [409, 'SEAT_TAKEN', 'SEAT_TAKEN'],
      [401, 'ERR_SCALE_SESSION_REQUIRED', 'ERR_SCALE_SESSION_REQUIRED'],
      [422, 'hunter2', undefined],
      [422, '","level":"fatal', undefined],
      [404, 42, undefined],
    ])(
      'of a refusal with %i has the code %j as %j, and nothing else of the error',
      async (status, code, type) => {
        const { port, lines } = await serve((app) => {
          app.get('/', () => {
            throw Object.assign(new Error('hunter2 again'), { status, code })
          })
        })
        await ask(port, '/')
        const [line] = await untilLines(lines, 1)
        expect(line).toMatchObject({ 'http.response.status_code': status, msg: 'request refused' })
        expect(line!['error.type']).toBe(type)
        expect(line).not.toHaveProperty('err')
        expect(lines.text).not.toContain('hunter2')
      },
    )

    it('of a client that left has 499 and no error', async () => {
      const { port, lines } = await serve((app) => {
        app.get('/hang', () => socket.destroy())
      })
      const socket = connect(port, '127.0.0.1')
      socket.write('GET /hang HTTP/1.1\r\nHost: x\r\n\r\n')
      expect(await untilLines(lines, 1)).toMatchObject([
        { level: 'info', msg: 'request aborted', 'http.response.status_code': 499, 'http.route': '/hang' },
      ])
    })

    it('of an answer that the server cut off is an error', async () => {
      const { port, lines } = await serve((app) => {
        app.get('/half', (_req, res, next) => {
          res.write('half', () => next(new Error('and no more')))
        })
      })
      await expect(ask(port, '/half')).rejects.toThrow()
      expect(await untilLines(lines, 1)).toMatchObject([
        { level: 'error', msg: 'response cut off', err: { message: 'and no more' } },
      ])
    })

    it('of a slow request is a warning', async () => {
      const { port, lines } = await serve(
        (app) => {
          app.get('/', (_req, res) => {
            const endsAt = performance.now() + 5
            while (performance.now() < endsAt);
            res.end()
          })
        },
        { slowMs: 5 },
      )
      await ask(port, '/')
      const [line] = await untilLines(lines, 1)
      expect(line).toMatchObject({ level: 'warn', msg: 'slow request' })
      expect(line!.duration_ms).toBeGreaterThanOrEqual(5)
    })

    it('is not written for probes, whatever their query', async () => {
      const { port, lines } = await serve(answering)
      for (const path of ['/livez', '/readyz?verbose=1', '/metrics']) await ask(port, path)
      await ask(port, '/users/1')
      expect(await untilLines(lines, 1)).toMatchObject([{ 'url.path': '/users/1' }])
    })

    it('has only the headers that were asked for, without what may be secret', async () => {
      const { port, lines } = await serve(answering, { headers: ['user-agent', 'referer'] })
      await ask(port, '/users/1', {
        'user-agent': 'curl/8 (Bearer abc123def456ghi)',
        referer: 'https://user:pw@example.org/path?token=hunter2#x',
        cookie: 'sid=hunter2',
        authorization: 'Bearer hunter2',
      })
      const [line] = await untilLines(lines, 1)
      expect(Object.entries(line!).filter(([name]) => name.includes('header'))).toEqual([
        ['http.request.header.user-agent', 'curl/8 (Bearer [redacted])'],
        ['http.request.header.referer', 'https://example.org/path'],
      ])
      expect(lines.text).not.toContain('hunter2')
    })

    it('has the query if asked for, without what may be secret', async () => {
      const { port, lines } = await serve(answering, { query: 'redact' })
      await ask(port, '/users/1?page=2&token=hunter2&code=hunter2&flag&q=eyJhbGciOiJIUzI1NiJ9.e30.abc')
      const [line] = await untilLines(lines, 1)
      expect(line!['url.query']).toBe('page=2&token=[redacted]&code=[redacted]&flag&q=[redacted]')
    })

    it('leaves out secret parameters of the path, and the user of a whole URL', async () => {
      const { port, lines } = await serve((app) => {
        app.get('/reset/:token', (_req, res) => {
          res.end()
        })
      })
      await ask(port, '/reset/hunter2')
      await ask(port, 'http://user:hunter2@127.0.0.1/reset/hunter2')
      const all = await untilLines(lines, 2)
      expect(all.map((line) => line['url.path'])).toEqual(['/reset/[redacted]', '/reset/[redacted]'])
      expect(lines.text).not.toContain('hunter2')
    })

    it('escapes control characters: one request, one line', async () => {
      const { port, lines } = await serve(answering, { query: 'redact', headers: ['user-agent'] })
      await ask(port, '/a%0d%0a{"level":"fatal"}?b=%0a%1b[31m', { 'user-agent': 'a\tb\u0080"\\' })
      const [line] = await untilLines(lines, 1)
      expect(lines.text.trim().split('\n')).toHaveLength(1)
      expect(line!['http.request.header.user-agent']).toBe('a\tb\u0080"\\')
    })

    it('has more fields if asked for, made safe, and survives their failure', async () => {
      const { port, lines } = await serve(answering, {
        fields: (req) => {
          if (req.url!.endsWith('2')) throw new Error('no fields')
          return { tenant: 'acme', password: 'hunter2' }
        },
      })
      await ask(port, '/users/1')
      await ask(port, '/users/2')
      expect(await untilLines(lines, 2)).toMatchObject([
        { tenant: 'acme', password: '[redacted]', msg: 'request completed' },
        { fields_error: { message: 'no fields' }, msg: 'request completed' },
      ])
    })

    it('is sampled by its trace, unless something is worth knowing', async () => {
      const { port, lines } = await serve(
        (app) => {
          answering(app)
          app.get('/fail', () => {
            throw new Error('no')
          })
        },
        { sampleRatio: 0.5 },
      )
      const [kept, left] = [`00-${'f'.repeat(32)}-${PARENT}-00`, `00-${`${'0'.repeat(31)}1`}-${PARENT}-00`]
      for (const header of [left, kept, left]) await ask(port, '/users/1', { traceparent: header })
      await ask(port, '/fail', { traceparent: left })
      await ask(port, '/no', { traceparent: left })
      const all = await untilLines(lines, 3)
      expect(all.map((line) => line['http.response.status_code'])).toEqual([200, 500, 404])
    })

    it('follows the level of the logger', async () => {
      const { lines, logger } = recorded()
      const app = framework()
      app.use(requestLogger({ logger }))
      answering(app)
      const port = await listen(app)
      logger.level = 'warn'
      await ask(port, '/users/1')
      logger.level = 'info'
      await ask(port, '/users/2')
      expect(await untilLines(lines, 1)).toMatchObject([{ 'url.path': '/users/2' }])
    })

    it('is written once if the middleware is mounted twice', async () => {
      const { lines, logger } = recorded()
      const app = framework()
      app.use(requestLogger({ logger }), requestLogger({ logger }))
      answering(app)
      const port = await listen(app)
      await ask(port, '/users/1')
      await ask(port, '/users/2')
      const all = await untilLines(lines, 2)
      expect(all.map((line) => line['url.path'])).toEqual(['/users/1', '/users/2'])
    })

    it('has the fields of the child logger that was given', async () => {
      const { lines, logger } = recorded()
      const app = framework()
      app.use(requestLogger({ logger: logger.child({ component: 'http' }) }))
      answering(app)
      await ask(await listen(app), '/users/1')
      expect(await untilLines(lines, 1)).toMatchObject([{ component: 'http' }])
    })
  })

  describe('the request id', () => {
    const echo = (app: Express): void => {
      app.get('/', (req, res) => {
        res.json({ id: (req as { id?: unknown }).id, context: requestContext()?.requestId })
      })
    }

    it.each([
      ['a trusted proxy sends one', 'loopback', 'abc.DEF-1:2=3+4/5@6_7', true],
      ['nobody is trusted', false, 'abc', false],
      ['another proxy is trusted', '10.0.0.0/8', 'abc', false],
      ['it is too long', 'loopback', 'a'.repeat(129), false],
      ['it has other characters', 'loopback', 'abc def', false],
      ['it is empty', 'loopback', '', false],
      ['it is sent twice', 'loopback', ['abc', 'def'], false],
    ] as const)('where %s', async (_, trust, sent, isTaken) => {
      const { port } = await serve((app) => {
        app.set('trust proxy', trust)
        echo(app)
      })
      const { headers, text } = await ask(port, '/', { 'x-request-id': sent as string })
      const id = headers['x-request-id']
      expect(JSON.parse(text)).toEqual({ id, context: id })
      if (isTaken) expect(id).toBe(sent)
      else expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    })
  })

  describe('the trace', () => {
    const passOn = (app: Express): void => {
      app.get('/', async (_req, res) => {
        await new Promise(setImmediate)
        res.json({ headers: traceHeaders(), context: requestContext() })
      })
    }

    it('is continued, and offered to the next service', async () => {
      const { port, lines } = await serve(passOn)
      const { text } = await ask(port, '/', { traceparent, tracestate: ['foo=1', 'bar=2'] })
      const [line] = await untilLines(lines, 1)
      const { headers, context } = JSON.parse(text)
      expect(headers).toEqual({
        traceparent: expect.stringMatching(`^00-${TRACE}-(?!${line!.span_id})[0-9a-f]{16}-01$`),
        tracestate: 'foo=1,bar=2',
        'x-request-id': line!.request_id,
      })
      expect(context).toMatchObject({ traceId: TRACE, spanId: line!.span_id, requestId: line!.request_id })
    })

    it('has a parent id of its own for each call', async () => {
      const { port } = await serve((app) => {
        app.get('/', (_req, res) => {
          res.json(Array.from({ length: 100 }, () => traceHeaders().traceparent))
        })
      })
      const { text } = await ask(port, '/', { traceparent })
      const sent = JSON.parse(text) as string[]
      expect(new Set(sent).size).toBe(100)
      expect(sent.every((one) => one.startsWith(`00-${TRACE}-`))).toBe(true)
    })

    it('is begun, not sampled and random, where none came', async () => {
      const { port } = await serve(passOn)
      const { headers } = JSON.parse((await ask(port, '/')).text)
      expect(headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-02$/)
    })

    it('is begun where what came is not valid, and tracestate is dropped', async () => {
      const { port } = await serve(passOn)
      const { text } = await ask(port, '/', { traceparent: `${traceparent}-x`, tracestate: 'foo=1' })
      const { headers } = JSON.parse(text)
      expect(headers.traceparent).not.toContain(TRACE)
      expect(headers).not.toHaveProperty('tracestate')
    })

    it('drops a tracestate that is not valid, and keeps the trace', async () => {
      const { port } = await serve(passOn)
      const { headers } = JSON.parse((await ask(port, '/', { traceparent, tracestate: 'FOO=1' })).text)
      expect(headers.traceparent).toContain(TRACE)
      expect(headers).not.toHaveProperty('tracestate')
    })

    it('is begun at an edge that says so, with a link to the caller', async () => {
      const { port, lines } = await serve(passOn, { trace: 'restart' })
      await ask(port, '/', { traceparent, tracestate: 'foo=1' })
      const [line] = await untilLines(lines, 1)
      expect(line!.trace_id).not.toBe(TRACE)
      expect(line!['link.trace_id']).toBe(TRACE)
    })
  })

  describe('log()', () => {
    it('has the ids of its own request, however they interleave', async () => {
      const { port, lines } = await serve((app) => {
        app.use(framework.json())
        app.post('/:name', async (req, res) => {
          await new Promise((resolve) => setTimeout(resolve, 5))
          log().info({ name: req.params.name }, 'at work')
          res.end()
        })
      })
      const names = Array.from({ length: 20 }, (_, index) => `n${index}`)
      await Promise.all(
        names.map((name) =>
          ask(port, `/${name}`, { 'content-type': 'application/json' }, { method: 'POST', body: '{"a":1}' }),
        ),
      )
      const all = await untilLines(lines, 40)
      const ends = new Map(
        all.filter((line) => line['url.path']).map((line) => [line['url.path'], line.request_id]),
      )
      const inside = all.filter((line) => line.msg === 'at work')
      expect(inside).toHaveLength(20)
      for (const line of inside) expect(line.request_id).toBe(ends.get(`/${line.name}`))
    })

    it('lets channel messages be told apart by request', async () => {
      const seen: unknown[] = []
      const events = channel<string>('scale:test:event')
      const stop = events.subscribe(() => seen.push(requestContext()?.requestId))
      const { port } = await serve((app) => {
        app.get('/', (_req, res) => {
          events.publish('x')
          res.end()
        })
      })
      const { headers } = await ask(port, '/')
      stop()
      expect(seen).toEqual([headers['x-request-id']])
    })
  })

  it('serves keep-alive and pipelined requests', async () => {
    const { port, lines } = await serve(answering)
    const socket = connect(port, '127.0.0.1')
    const head = 'HTTP/1.1\r\nHost: x\r\n'
    socket.write(
      `GET /users/1 ${head}\r\nGET /users/2 ${head}\r\nGET /users/3 ${head}Connection: close\r\n\r\n`,
    )
    socket.resume()
    await once(socket, 'close')
    const all = await untilLines(lines, 3)
    expect(all.map((line) => [line['url.path'], line['client.address']])).toEqual([
      ['/users/1', '127.0.0.1'],
      ['/users/2', '127.0.0.1'],
      ['/users/3', '127.0.0.1'],
    ])
  })

  it('tells the address that trust proxy leads to', async () => {
    const { port, lines } = await serve((app) => {
      app.set('trust proxy', 'loopback')
      answering(app)
    })
    await ask(port, '/users/1', { 'x-forwarded-for': '2001:DB8::0:1' })
    await ask(port, '/users/1')
    const all = await untilLines(lines, 2)
    expect(all.map((line) => line['client.address'])).toEqual(['2001:db8::1', '127.0.0.1'])
  })
})

it('works without Express', async () => {
  const { lines, logger } = recorded()
  const middleware = requestLogger({ logger })
  const port = await listen((req, res) => middleware(req as never, res, () => res.end('x')))
  await ask(port, '/plain')
  expect(await untilLines(lines, 1)).toMatchObject([
    { 'url.path': '/plain', 'http.response.status_code': 200 },
  ])
})

it.each([
  [{}, 'requestLogger: `logger` is required.'],
  [{ logger: console }, 'requestLogger: `logger` must be a logger made by createLogger, not an object.'],
  [{ logger: 1, slowMS: 3 }, 'requestLogger: unknown option `slowMS`. Did you mean `slowMs`?'],
  [{ headers: ['cookie'] }, /`headers` must be an array in which each element is one of 'accept'/],
  [{ quietPaths: ['livez'] }, /each element is a path that starts with \//],
  [{ sampleRatio: 2 }, /`sampleRatio` must be a number from 0 to 1, not 2/],
])('refuses %j', (options, message) => {
  const { logger } = recorded()
  const given = Object.keys(options).length === 0 || 'logger' in options ? options : { logger, ...options }
  expect(() => requestLogger(given as unknown as RequestLoggerOptions)).toThrow(message)
})
