import express5, { type Express, type Request } from 'express'
import express4 from 'express4'
import { afterEach, describe, expect, it } from 'vitest'
import { createCache, type HttpCacheOptions } from '../../src/index.js'
import { close, isHit, listen, portOf, send } from './harness.js'

type Identified = Request & {
  session?: { user: string }
  user?: { id: string }
  cookies?: Record<string, string>
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of closing.splice(0)) await end()
})

/** An app whose one handler answers with what `identify` finds in the request. */
async function app(
  make: () => Express,
  identify: (req: Identified) => unknown,
  options: HttpCacheOptions<Identified>,
  upstream: (app: Express) => void = () => {},
) {
  const cache = createCache({ ttlMs: 60_000 })
  const server = make()
  upstream(server)
  server.use(cache.http(options as HttpCacheOptions))
  server.use((req, res) => {
    // Slow enough for requests to meet.
    setTimeout(() => res.send(`for ${String(identify(req as Identified))}`), 5)
  })
  const http = await listen(server as never)
  closing.push(async () => {
    await close(http)
    await cache.close()
  })
  return portOf(http)
}

const MAJORS: [string, () => Express][] = [
  ['Express 5', () => express5()],
  ['Express 4', () => express4() as Express],
]
const MODES = ['vary', 'refuse', 'strip'] as const

const cookieParser = (server: Express) =>
  server.use((req, _res, next) => {
    const user = /user=(\w+)/.exec(req.headers.cookie ?? '')?.[1]
    Object.assign(req, { cookies: { user }, session: { user }, user: { id: user } })
    next()
  })

/** Every way in which a request carries who sent it, and how a handler finds it. */
const CARRIERS: [
  string,
  (user: string) => Record<string, string>,
  (req: Identified) => unknown,
  ((app: Express) => void)?,
][] = [
  [
    'a bearer token',
    (user) => ({ authorization: `Bearer ${user}` }),
    (req) => req.headers.authorization?.slice(7),
  ],
  [
    'basic credentials',
    (user) => ({ authorization: `Basic ${user}` }),
    (req) => req.get('Authorization')?.slice(6),
  ],
  [
    'proxy credentials',
    (user) => ({ 'proxy-authorization': user }),
    (req) => req.headers['proxy-authorization'],
  ],
  ['a cookie', (user) => ({ cookie: `user=${user}` }), (req) => req.headers.cookie?.slice(5)],
  ['a parsed cookie', (user) => ({ cookie: `user=${user}` }), (req) => req.cookies?.user, cookieParser],
  ['a session', (user) => ({ cookie: `user=${user}` }), (req) => req.session?.user, cookieParser],
  ['a user object', (user) => ({ cookie: `user=${user}` }), (req) => req.user?.id, cookieParser],
  ['a header of its own', (user) => ({ 'x-api-key': user }), (req) => req.headers['x-api-key']],
  ['a header by req.get', (user) => ({ 'x-user': user }), (req) => req.get('X-User')],
  [
    'raw headers',
    (user) => ({ 'x-user': user }),
    (req) => req.rawHeaders[req.rawHeaders.findIndex((name) => name.toLowerCase() === 'x-user') + 1],
  ],
  ['listed headers', (user) => ({ 'x-user': user }), (req) => ({ ...req.headers })['x-user']],
  ['distinct headers', (user) => ({ 'x-user': user }), (req) => req.headersDistinct['x-user']?.[0]],
  [
    'the forwarded address',
    (user) => ({ 'x-forwarded-for': user }),
    (req) => req.ip,
    (app) => app.set('trust proxy', true),
  ],
  [
    'the forwarded host',
    (user) => ({ 'x-forwarded-host': user }),
    (req) => req.hostname,
    (app) => app.set('trust proxy', true),
  ],
  ['the host', (user) => ({ host: user }), (req) => req.hostname],
  ['the user agent', (user) => ({ 'user-agent': user }), (req) => req.headers['user-agent']],
]

describe.each(MAJORS)('cache.http keeps answers apart, %s', (_major, make) => {
  describe.each(MODES)('unkeyed: %s', (unkeyed) => {
    it.each(CARRIERS)('identity in %s', async (_name, carry, identify, upstream) => {
      const port = await app(make, identify, { unkeyed }, upstream)
      const ask = async (user: string) => (await send(port, 'GET', '/', carry(user))).body
      const asked: [string, Promise<string>][] = []
      for (let round = 0; round < 5; round++) {
        for (const user of ['alice', 'bob', 'carol']) asked.push([user, ask(user)])
        if (round % 2 === 0) await asked.at(-1)![1]
      }
      for (const [user, asking] of asked) {
        const body = await asking
        // Stripped, the handler may see nobody; but it never sees somebody else.
        const others = ['alice', 'bob', 'carol'].filter((other) => other !== user)
        expect(others.filter((other) => body.includes(other))).toEqual([])
        if (unkeyed !== 'strip') expect(body).toBe(`for ${user}`)
      }
    })

    it('identity in a cookie that was declared irrelevant', async () => {
      const port = await app(make, (req) => req.headers.cookie?.slice(5), { unkeyed, cookies: 'ignore' })
      for (const user of ['alice', 'bob', 'alice']) {
        const { body } = await send(port, 'GET', '/', { cookie: `user=${user}` })
        expect([`for ${user}`, ...(unkeyed === 'strip' ? ['for undefined'] : [])]).toContain(body)
      }
    })
  })

  it('shares among those of a partition only, and tells caches downstream that it is private', async () => {
    const port = await app(
      make,
      (req) => req.user?.id.slice(0, 1),
      { partition: (req) => req.user?.id.slice(0, 1) },
      cookieParser,
    )
    const ask = (user: string) => send(port, 'GET', '/', { cookie: `user=${user}` })
    expect((await ask('anna')).body).toBe('for a')
    const alice = await ask('alice')
    expect([alice.body, isHit(alice)]).toEqual(['for a', true])
    expect(alice.headers['cache-control']).toMatch(/private/)
    const bob = await ask('bob')
    expect([bob.body, isHit(bob)]).toEqual(['for b', false])
    expect(bob.headers['cache-control']).toMatch(/private/)
  })

  it('goes past the cache where the partition is undefined', async () => {
    const port = await app(make, (req) => req.user?.id, { partition: () => undefined }, cookieParser)
    for (const user of ['alice', 'bob']) {
      const answer = await send(port, 'GET', '/', { cookie: `user=${user}` })
      expect([answer.body, isHit(answer)]).toEqual([`for ${user}`, false])
    }
  })

  it('never stores what belongs to one request: upstream fields, cookies set downstream', async () => {
    let id = 0
    const port = await app(
      make,
      () => 'all',
      {},
      (server) => {
        server.use((req, res, next) => {
          res.setHeader('X-Request-Id', String(++id))
          res.setHeader('Access-Control-Allow-Origin', req.headers.origin ?? 'none')
          next()
        })
      },
    )
    await send(port, 'GET', '/', { origin: 'http://a.example' })
    const hit = await send(port, 'GET', '/', { origin: 'http://b.example' })
    expect(isHit(hit)).toBe(true)
    expect(hit.headers).toMatchObject({
      'x-request-id': '2',
      'access-control-allow-origin': 'http://b.example',
    })
  })
})

describe.each(MAJORS)('cache.http is not poisoned, %s', (_major, make) => {
  /** What an attacker sends, after which a victim asks for `/page`. */
  const ATTACKS: [string, string, string, Record<string, string>][] = [
    ['an unkeyed header that is reflected', 'GET', '/page', { 'x-forwarded-host': 'evil.example' }],
    ['a header that breaks the page', 'GET', '/page', { 'x-forwarded-scheme': 'nothttps' }],
    ['another path in a header', 'GET', '/page', { 'x-original-url': '/admin', 'x-rewrite-url': '/admin' }],
    ['a method override', 'GET', '/page', { 'x-http-method-override': 'DELETE' }],
    ['a POST', 'POST', '/page', {}],
    ['a HEAD', 'HEAD', '/page', {}],
    ['a parameter', 'GET', '/page?utm=evil', {}],
    ['an encoded path', 'GET', '/%70age', {}],
    ['a path parameter', 'GET', '/page;x.css', {}],
    ['a double slash', 'GET', '//page', {}],
    ['a trailing dot segment', 'GET', '/page/.', {}],
    ['a fragment', 'GET', '/page#x', {}],
    ['a port in the host', 'GET', '/page', { host: 'site.example:1337' }],
    ['another host', 'GET', '/page', { host: 'evil.example' }],
    ['an oversized header', 'GET', '/page', { 'x-oversized': 'x'.repeat(9_000) }],
    ['a range', 'GET', '/page', { range: 'bytes=0-0' }],
    ['a condition', 'GET', '/page', { 'if-none-match': '*' }],
    ['a body', 'GET', '/page', { 'content-length': '0', 'transfer-encoding': 'identity' }],
  ]
  it.each(ATTACKS)('by %s', async (_name, method, path, headers) => {
    const reflected = (req: Identified) =>
      [
        req.method,
        req.originalUrl,
        req.headers.host,
        req.headers['x-forwarded-host'],
        req.headers['x-forwarded-scheme'],
        req.headers['x-original-url'],
        req.headers['x-oversized']?.length,
      ].join(' ')
    const port = await app(make, reflected, {})
    const victim = () => send(port, 'GET', '/page', { host: 'site.example' })
    await send(port, method, path, { host: 'site.example', ...headers }).catch(() => {})
    const clean = 'for GET /page site.example    '
    expect([(await victim()).status, (await victim()).body]).toEqual([200, clean])
  })

  it('hides undeclared parameters from the handler', async () => {
    const port = await app(make, (req) => `${req.url} ${JSON.stringify(req.query)}`, {
      query: ['page', 'sort'],
    })
    await send(port, 'GET', '/list?utm=evil&sort=a&page=2&page[x]=3')
    const { body } = await send(port, 'GET', '/list?page=2&sort=a&page[x]=3&session=secret')
    expect(body).not.toMatch(/evil|secret/)
    expect(isHit(await send(port, 'GET', '/list?page=2&page[x]=3&sort=a'))).toBe(true)
    expect(isHit(await send(port, 'GET', '/list?page=3&sort=a'))).toBe(false)
  })
})
