import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, logOf, newcomer, type Service, startService } from './service.js'

// Hostile input to every route: no 5xx, no hang, no crash, and nothing of what was sent comes back.

const CASES_PER_ROUTE = 500

/** Marks what a request sends, so that it can be looked for in the answer. */
const CANARY = 'canary7f3a'

const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom(
    '',
    ' ',
    '\0',
    '__proto__',
    '{{7*7}}',
    '<script>alert(1)</script>',
    "' OR 1=1 --",
    '../../etc/passwd',
  ),
  fc.string({ minLength: 1, maxLength: 40 }).map((text) => text.repeat(50)),
)
const marked = hostileText.map((text) => CANARY + text)
const anyJson = fc.oneof(
  { depthSize: 'small' },
  fc.jsonValue({ maxDepth: 4 }),
  fc.dictionary(
    fc.constantFrom('name', 'email', 'password', 'refresh_token', '__proto__', 'constructor', 'id', 'role'),
    fc.oneof(marked, fc.jsonValue({ maxDepth: 2 })),
  ),
)
/** Right in every member but one: what gets past the checks of the others. */
const almostRight = fc
  .tuple(fc.constantFrom('name', 'email', 'password', 'refresh_token'), fc.oneof(marked, hostileText))
  .map(([member, text]) => ({ ...newcomer(), refresh_token: 'a'.repeat(43), [member]: text }))
const body = fc.oneof(
  almostRight.map((value) => ({ type: 'application/json', text: JSON.stringify(value) })),
  anyJson.map((value) => ({ type: 'application/json', text: JSON.stringify(value) })),
  anyJson.map((value) => ({ type: 'application/json', text: JSON.stringify(value).slice(0, -1) })),
  marked.map((text) => ({ type: 'application/json', text })),
  marked.chain((text) =>
    fc
      .constantFrom(
        'text/plain',
        'application/xml',
        'application/json; charset=latin1',
        'multipart/form-data',
        '*/*',
        'a',
      )
      .map((type) => ({ type, text })),
  ),
  fc.constant({ type: 'application/json', text: '{"a":'.repeat(5_000) }),
  fc.constant({ type: 'application/json', text: `"${CANARY}${'x'.repeat(110_000)}"` }),
)
/** What `fetch` lets pass as a header value. */
const headerText = hostileText.map((text) => text.replace(/[^\x20-\x7e\x80-\xff]/g, '?').trim())
const authorization = fc.oneof(
  headerText,
  headerText.map((text) => `Bearer ${text}`),
  fc.stringMatching(/^[A-Za-z0-9_-]{40,90}$/).map((token) => `Bearer ${token}`),
  fc.constantFrom('Bearer', 'Bearer ', 'bearer a b', 'Basic YTpi', `Bearer ${'a'.repeat(8_000)}`),
)
const pathTail = fc.oneof(
  fc.constant(''),
  hostileText.map((text) => `/${encodeURIComponent(text.replace(/[\ud800-\udfff]/g, '?'))}`),
  fc.constantFrom(
    '/%',
    '/%ff',
    '/..%2f..',
    '//',
    '/.',
    '?a[b]=c',
    '?__proto__[x]=1',
    `?q=${'y'.repeat(5_000)}`,
  ),
)

const routes = [
  ['POST', '/v1/users'],
  ['POST', '/v1/login'],
  ['GET', '/v1/profile'],
  ['PATCH', '/v1/profile'],
  ['POST', '/v1/token'],
  ['POST', '/v1/token/refresh'],
  ['GET', '/v1/me'],
  ['POST', '/v1/logout'],
  ['POST', '/v1/logout-all'],
  ['GET', '/v1/sessions'],
  ['DELETE', '/v1/sessions'],
  ['GET', '/v1/catalogue'],
] as const

describe('hostile input', () => {
  let service: Service
  let token: string

  beforeAll(async () => {
    service = await startService({ WEB_CONCURRENCY: '1', PROFILE_LOOKUP_MS: '0', PROFILE_QUOTA: '1000000' })
    const me = newcomer()
    await call(service.url, 'POST', '/v1/users', { body: me })
    token = String((await call(service.url, 'POST', '/v1/login', { body: me })).body.token)
  })
  afterAll(async () => {
    expect(await service.stop()).toBe(0)
    // Whatever was sent, the log is one JSON object a line, none of them about a failure.
    expect(logOf(service).filter(({ level }) => level !== 'info' && level !== 'warn')).toEqual([])
    expect(logOf(service).length).toBeGreaterThan(CASES_PER_ROUTE)
  })

  async function attack(
    method: string,
    path: string,
    sent: {
      body: { type: string; text: string } | undefined
      authorization: string | undefined
      accept: string
    },
  ): Promise<void> {
    const response = await fetch(service.url + path, {
      method,
      headers: {
        Accept: sent.accept,
        ...(sent.authorization === undefined ? {} : { Authorization: sent.authorization }),
        ...(sent.body === undefined ? {} : { 'Content-Type': sent.body.type }),
      },
      ...(sent.body === undefined || method === 'GET' ? {} : { body: sent.body.text }),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await response.text()
    expect(response.status, text).toBeLessThan(500)
    if (response.status < 400) return
    expect(text).not.toContain(CANARY)
    for (const value of response.headers.values()) expect(value).not.toContain(CANARY)
    if (response.headers.get('content-type')?.includes('json')) {
      expect(JSON.parse(text)).toMatchObject({
        status: response.status,
        title: expect.any(String),
        code: expect.any(String),
      })
    }
  }

  it.each(routes)(
    '%s %s',
    async (method, path) => {
      await fc.assert(
        fc.asyncProperty(
          fc.option(body, { nil: undefined }),
          fc.option(authorization, { nil: undefined, freq: 3 }),
          fc.boolean(),
          fc.constantFrom('*/*', 'application/json', 'text/html', 'image/png', 'a;q=b,,;', 'text/html;q=0'),
          pathTail,
          async (sentBody, hostile, signedIn, accept, tail) => {
            // Not with a token that works where that would end the session of this test.
            const isEnding = path.startsWith('/v1/log') || path.startsWith('/v1/sessions')
            const authorization = signedIn && !isEnding ? `Bearer ${token}` : hostile
            await attack(method, path + tail, { body: sentBody, authorization, accept })
          },
        ),
        { numRuns: CASES_PER_ROUTE, endOnFailure: true },
      )
    },
    120_000,
  )

  it('hostile cookies', async () => {
    await fc.assert(
      fc.asyncProperty(headerText, headerText, async (name, value) => {
        const headers = { Cookie: `session=${value}; ${name}; session=${name}` }
        const { status } = await call(service.url, 'GET', '/v1/profile', { headers })
        expect(status).toBe(401)
      }),
      { numRuns: 300 },
    )
  })

  it('bytes that are not HTTP', async () => {
    const { hostname, port } = new URL(service.url)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
        await new Promise<void>((resolve) => {
          const socket = connect(Number(port), hostname, () => socket.end(bytes))
          socket.on('data', (data) => expect(data.toString('latin1')).toMatch(/^HTTP\/1\.1 4\d\d /))
          socket.on('close', () => resolve())
          socket.on('error', () => socket.destroy())
        })
      }),
      { numRuns: 200 },
    )
    expect((await call(service.url, 'GET', '/v1/profile', { token })).status).toBe(200)
  })
})
