import http from 'node:http'
import { isProxy } from 'node:util/types'
import type { Next } from '@scale/core'
import type { Request, Response } from 'express'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { errorHandler } from '../src/index.js'
import { problemOf } from '../src/problem/problem.js'
import { property } from '../src/property.js'
import { recordable } from '../src/record/recordable.js'
import { expectProblem } from './support/rfc9457.js'
import { ask, failures, frameworks, listen } from './support/server.js'

const SECRET = 'hunter2'
const hostile = (): never => {
  throw new Error(SECRET)
}

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(SECRET, `${SECRET}\r\nX-Evil: 1`, `<script>${SECRET}`, '\ud800', 'route', 'router'),
)
const anything = fc.oneof(fc.anything({ withBigInt: true, withDate: true, withSparseArray: true }), text)
const status = fc.oneof(
  fc.constantFrom<unknown>(
    400,
    401,
    404,
    409,
    413,
    422,
    499,
    500,
    503,
    599,
    200,
    0,
    -1,
    600,
    '404',
    Number.NaN,
  ),
  anything,
)
const type = fc.oneof(
  fc.constantFrom(
    'entity.parse.failed',
    'entity.verify.failed',
    'request.aborted',
    'entity.too.large',
    '/p',
    'urn:p',
  ),
  anything,
)
const issues = fc.array(fc.record({ message: text, path: fc.array(anything) }, { requiredKeys: ['message'] }))

/** The properties that mappers look at, with likely values and with any. */
const properties = fc.record(
  {
    status,
    statusCode: status,
    code: fc.oneof(fc.constantFrom('ERR_SCALE_X', 'ECONNABORTED', 'Z_DATA_ERROR'), anything),
    name: fc.oneof(fc.constantFrom('AbortError', 'TimeoutError', 'URIError'), anything),
    type,
    title: fc.oneof(text, anything),
    headers: fc.oneof(fc.dictionary(text, anything), anything),
    extensions: fc.oneof(fc.dictionary(text, anything), anything),
    issues: fc.oneof(issues, anything),
    expose: fc.oneof(fc.boolean(), anything),
    message: fc.oneof(text, anything),
    stack: anything,
    body: anything,
    response: anything,
    cause: anything,
  },
  { requiredKeys: [] },
)

/** In a function, because fast-check looks into what it generates. */
const thrown: fc.Arbitrary<() => unknown> = fc.oneof(
  anything.map((value) => () => value),
  properties.map((given) => () => given),
  properties.map((given) => () => Object.assign(new Error(SECRET), given)),
  properties.map((given) => () => Object.freeze(Object.assign(new Error(SECRET), given))),
  properties.map((given) => () => new Proxy(Object.assign(new Error(SECRET), given), { get: hostile })),
  properties.map(
    (given) => () => new Proxy(given, { getPrototypeOf: hostile, has: hostile, ownKeys: hostile }),
  ),
  properties.map((given) => () => {
    const names = Object.keys(given)
    return Object.defineProperties(
      {},
      Object.fromEntries(names.map((name) => [name, { get: hostile, enumerable: true }])),
    )
  }),
  fc.constantFrom<() => unknown>(
    ...[
      () => null,
      () => undefined,
      () => Symbol(SECRET),
      () => 1n,
      () => hostile,
      () => Object.create(null),
      revoked,
    ],
  ),
)

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

it('makes a checked problem of anything that is thrown', () => {
  fc.assert(
    fc.property(thrown, (make) => {
      const problem = problemOf(make())
      expect(problem.status).toBeGreaterThanOrEqual(400)
      expect(problem.status).toBeLessThanOrEqual(599)
      expect(problem.code).toMatch(/^[A-Z][A-Z0-9_]{0,127}$/)
      expect(problem.title).not.toBe('')
      expect(problem.detail).not.toBe('')
      if (problem.status >= 500) expect(problem.detail).not.toContain(SECRET)
    }),
    { numRuns: 2_000 },
  )
})

it('makes an Error of anything that is thrown', () => {
  fc.assert(
    fc.property(thrown, (make) => {
      const error = recordable(make())
      expect(isProxy(error) || error instanceof Error).toBe(true)
      expect(typeof error.message).toBe('string')
    }),
    { numRuns: 2_000 },
  )
})

describe.each(frameworks)('anything thrown under %s', (_, framework) => {
  it('is answered by a valid problem, and recorded once', async () => {
    const messages = failures()
    const agent = new http.Agent({ keepAlive: true })
    let current: unknown
    const app = framework()
    const handler = errorHandler()
    // `next(null)` is no error, so the handler is called as Express calls it for any other value.
    app.use((req: Request, res: Response, next: Next) => handler(current, req, res, next))
    const port = await listen(app)
    await fc.assert(
      fc.asyncProperty(thrown, async (make) => {
        current = make()
        messages.length = 0
        const answered = await ask(port, { agent, path: '/x' })
        expectProblem(answered)
        expect(answered.headers).not.toHaveProperty('x-evil')
        if (answered.status >= 500 && answered.json.type === 'about:blank')
          expect(answered.text).not.toContain(SECRET)
        expect(messages).toHaveLength(1)
        expect(messages[0]!.status).toBe(answered.status)
      }),
      { numRuns: 600 },
    )
    agent.destroy()
  })

  it('answers whatever a client accepts', async () => {
    failures()
    const agent = new http.Agent({ keepAlive: true })
    const app = framework()
    app.use(() => {
      throw new Error(SECRET)
    })
    app.use(errorHandler())
    const port = await listen(app)
    const piece = fc.constantFrom(
      ...['text/html', 'application/json', 'application/problem+json', '*/*', 'application/*', 'text/*', 'x'],
      ...[',', ';', 'q=', '0', '1', '0.5', '-1', '1e9', '"', '=', ' ', '/', '*', '\t', 'level=1', ',,;;'],
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 200 }), async (pieces) => {
        const answered = await ask(port, { agent, headers: { accept: pieces.join('') } })
        expect(answered.status).toBe(500)
        expect(answered.text).not.toContain(SECRET)
        expect(answered.headers['content-type']).toMatch(
          /^(?:application\/(?:problem\+)?json|text\/html; charset=utf-8)$/,
        )
      }),
      { numRuns: 300 },
    )
    agent.destroy()
  })
})

describe.each(frameworks)('what an HTTP client made, under %s', (_, framework) => {
  /** What errorHandler, Express and Node set. */
  const OURS = new Set([
    ...['cache-control', 'connection', 'content-length', 'content-security-policy', 'content-type', 'date'],
    ...['keep-alive', 'vary', 'x-content-type-options', 'x-powered-by'],
  ])
  const known = fc.constantFrom('WWW-Authenticate', 'Allow', 'Set-Cookie', 'Access-Control-Allow-Origin')
  const headers = fc
    .oneof(
      fc.dictionary(fc.stringMatching(/^[A-Za-z][A-Za-z-]{0,15}$/), fc.stringMatching(/^[ -~]{0,20}$/)),
      fc.dictionary(known, fc.constant(SECRET)),
    )
    .map((some) => ({ ...some, Date: 'Sat, 28 Nov 2026 08:00:00 GMT' }))
  const anyStatus = fc.integer({ min: 400, max: 599 })
  /** One of the marks of a client, beside whatever else. */
  const mark = fc.oneof(
    fc.record({ headers }),
    fc.record({ headers: headers.map((one) => new Headers(one)) }),
    fc.record({ response: fc.record({ status: fc.integer({ min: 100, max: 599 }), headers }) }),
    fc.record({ request: fc.object() }),
    fc.record({ config: fc.object() }),
    fc.record({ $metadata: fc.record({ httpStatusCode: anyStatus }) }),
    fc.record({ isAxiosError: fc.constant(true) }),
  )
  const given = fc.record(
    {
      statusCode: anyStatus,
      code: fc.constantFrom('ERR_BAD_REQUEST', 'ETIMEDOUT', 'Z_DATA_ERROR', SECRET),
      message: fc.string(),
      type: fc.constantFrom('invalid_request_error', 'entity.too.large', SECRET),
      body: fc.anything(),
      expose: fc.boolean(),
    },
    { requiredKeys: [] },
  )

  it('never sends its headers, and is never the fault of our client', async () => {
    failures()
    const agent = new http.Agent({ keepAlive: true })
    let current: unknown
    const handler = errorHandler()
    const app = framework()
    app.use((req: Request, res: Response, next: Next) => handler(current, req, res, next))
    const port = await listen(app)
    await fc.assert(
      fc.asyncProperty(
        ...[anyStatus, mark, given, fc.boolean(), fc.boolean()],
        async (status, marks, properties, isFrozen, isBare) => {
          const made = Object.assign(isBare ? Object.create(null) : new Error(SECRET), {
            ...{ status, ...properties },
            ...marks,
          })
          current = isFrozen ? Object.freeze(made) : made
          const answered = await ask(port, { agent })
          expect(answered.status).toBeGreaterThanOrEqual(500)
          const strange = Object.keys(answered.headers).filter((name) => !OURS.has(name))
          expect(strange).toEqual(
            strange.includes('retry-after') && answered.status === 503 ? ['retry-after'] : [],
          )
        },
      ),
      { numRuns: 500 },
    )
    agent.destroy()
  })
})

it('takes what tells no status for a fault of the server, whatever it is', () => {
  fc.assert(
    fc.property(thrown, (make) => {
      const made = make()
      const isSilent = ['status', 'statusCode'].every((name) => !hasStatus(made, name))
      if (isSilent && !isOfParser(made)) expect(problemOf(made).status).toBeGreaterThanOrEqual(500)
    }),
    { numRuns: 2_000 },
  )

  function hasStatus(value: unknown, name: string): boolean {
    return Number.isInteger(property(value, name))
  }

  /** The parsers of multipart bodies give no status. */
  function isOfParser(value: unknown): boolean {
    return property(value, 'name') === 'MulterError'
  }
})
