import { CookieJar, PrefixSecurityEnum } from 'tough-cookie'
import { describe, expect, it, vi } from 'vitest'
import { cookie, type SessionOptions, session } from '../src/index.js'
import { memoryStore } from '../src/stores/memory.js'
import { readCookie } from '../src/transports/cookie.js'
import { cookieOf, expressVersions, listen, type RunningApp } from './app.js'

type Options = SessionOptions<Record<string, unknown>>

let nowMs = 1_800_000_000_000

async function using<Result>(
  options: Options,
  work: (app: RunningApp) => Promise<Result>,
  make = expressVersions[0]![1],
): Promise<Result> {
  const sessions = session({ store: memoryStore({ clock: () => nowMs }), ...options })
  const app = make()
  app.use(sessions)
  app.post('/:verb', async (req, res) => {
    res.cookie('other', '1').set('Cache-Control', 'public, max-age=60')
    if (req.params.verb === 'login') await req.session.login('ann')
    else await req.session[req.params.verb as 'renew' | 'elevate' | 'destroy']()
    if (req.query.writeHead === undefined) res.json({})
    else res.writeHead(200, { 'Set-Cookie': 'late=1', 'content-type': 'application/json' }).end('{}')
  })
  app.get('/', (req, res) => {
    res.json({ user: req.session.userId ?? null })
  })
  const running = await listen(app)
  try {
    return await work(running)
  } finally {
    await running.close()
  }
}

describe.each<[string, Options['transport'] & object, string]>([
  ['the default', cookie(), 'https://app.example/'],
  ['a persistent one', cookie({ persistent: true, sameSite: 'strict' }), 'https://app.example/'],
  ['one for a domain', cookie({ domain: 'example.org' }), 'https://app.example.org/'],
  ['one for a path', cookie({ path: '/app' }), 'https://app.example/app'],
  ['one for embedding', cookie({ sameSite: 'none', partitioned: true }), 'https://app.example/'],
  ['one without TLS', cookie({ secure: false }), 'http://app.example/'],
])('%s', (_name, transport, url) => {
  it('is taken, replaced and taken back by a jar that is strict about prefixes', () =>
    using({ transport }, async (app) => {
      const jar = new CookieJar(undefined, { prefixSecurity: PrefixSecurityEnum.STRICT })
      const names = async () =>
        (await jar.getCookies(url)).map(({ key }) => key).filter((key) => key !== 'other')
      for (const verb of ['login', 'renew', 'elevate', 'login', 'destroy']) {
        const answer = await app.send('POST', `/${verb}`, { cookie: await jar.getCookieString(url) })
        expect(answer.status).toBe(200)
        expect(answer.headers.get('cache-control')).toBe('no-store')
        expect(answer.cookies).toHaveLength(2)
        for (const text of answer.cookies) {
          expect(text.length).toBeLessThan(4_096)
          expect(await jar.setCookie(text, url, { ignoreError: false })).toBeDefined()
        }
        expect(await names()).toHaveLength(verb === 'destroy' ? 0 : 1)
        if (verb !== 'destroy') {
          const asked = await app.send('GET', '/', { cookie: await jar.getCookieString(url) })
          expect(asked.body).toEqual({ user: 'ann' })
        }
      }
    }))
})

it('a persistent cookie lasts until the absolute end, also after a renewal', () =>
  using({ transport: cookie({ persistent: true }), absoluteTimeoutMs: 3_600_000 }, async (app) => {
    const login = await app.send('POST', '/login')
    expect(login.cookies.join()).toContain('Max-Age=3600;')
    nowMs += 600_500
    const renewed = await app.send('POST', '/renew', { cookie: cookieOf(login) })
    expect(renewed.cookies.join()).toContain('Max-Age=2999;')
  }))

it('a token that is old enough is replaced on the way, and again for a client that missed the answer', () =>
  using({ renewAfterMs: 1_000, renewGraceMs: 500 }, async (app) => {
    const first = { cookie: cookieOf(await app.send('POST', '/login')) }
    nowMs += 999
    expect((await app.send('GET', '/', first)).cookies).toEqual([])
    nowMs += 1
    const answers = await Promise.all([1, 2, 3].map(() => app.send('GET', '/', first)))
    nowMs += 1_000_000
    const later = await app.send('GET', '/', first)
    const cookies = [...answers, later].map((answer) => answer.cookies.join())
    expect(new Set(cookies).size).toBe(1)
    expect(cookies[0]).toMatch(/^__Host-session=[\w-]{79};/)
    expect([...answers, later].map(({ body }) => body)).toEqual(Array(4).fill({ user: 'ann' }))
    const second = { cookie: cookieOf(later) }
    const used = await app.send('GET', '/', second)
    expect(used.body).toEqual({ user: 'ann' })
    // A request that was on its way is answered, and given nothing.
    expect(await app.send('GET', '/', first)).toMatchObject({ body: { user: 'ann' }, cookies: [] })
    nowMs += 500
    expect(await app.send('GET', '/', first)).toMatchObject({ body: { user: null }, cookies: [] })
    expect((await app.send('GET', '/', second)).body).toEqual({ user: 'ann' })
  }))

it('a token in a header is not replaced unasked', () =>
  using({ renewAfterMs: false }, async (app) => {
    const first = { cookie: cookieOf(await app.send('POST', '/login')) }
    nowMs += 1_799_000
    expect(await app.send('GET', '/', first)).toMatchObject({ cookies: [], body: { user: 'ann' } })
  }))

it.each(expressVersions)('%s: a cookie that a handler passes to writeHead stays beside ours', (_name, make) =>
  using(
    {},
    async (app) => {
      const answer = await app.send('POST', '/login?writeHead')
      expect(answer.cookies.map((text) => text.split('=')[0]).sort()).toEqual([
        '__Host-session',
        'late',
        'other',
      ])
    },
    make,
  ),
)

it('of several cookies with the name, the first that can be a token counts', () =>
  using({}, async (app) => {
    const good = cookieOf(await app.send('POST', '/login'))
    for (const header of [
      `__Host-session=x; ${good}`,
      `${good}; __Host-session=${'A'.repeat(79)}`,
      `a=b;${good};c`,
    ]) {
      expect((await app.send('GET', '/', { cookie: header })).body).toEqual({ user: 'ann' })
    }
    for (const header of [`x${good}`, `a="${good}"`, good.replace('=', ' ='), good.toUpperCase()]) {
      expect((await app.send('GET', '/', { cookie: header })).body).toEqual({ user: null })
    }
  }))

it('refuses options that make a browser drop the cookie', () => {
  expect(() => cookie({ name: '__Host-a', domain: 'example.org' })).toThrow(/__Host-/)
  expect(() => cookie({ name: '__Host-a', path: '/a' })).toThrow(/__Host-/)
  expect(() => cookie({ name: '__secure-a', secure: false })).toThrow(/secure: true/)
  expect(() => cookie({ sameSite: 'none', secure: false })).toThrow(/sameSite/)
  expect(() => cookie({ name: 'a;b' })).toThrow(/name/)
  expect(() => cookie({ path: '/a;b' })).toThrow(/path/)
  // @ts-expect-error a typing error
  expect(() => cookie({ samesite: 'lax' })).toThrow(/sameSite/)
})

it('warns once when a Secure cookie goes out over plain http', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const named = (host: string, more = {}) => ({ host, ...more })
  await using({}, async (app) => {
    await app.send('POST', '/login')
    await app.send('POST', '/login', named('app.localhost:3000'))
    await app.send('POST', '/login', named('app.example', { 'x-forwarded-proto': 'https' }))
    expect(warn).not.toHaveBeenCalled()
    await raw(app, 'app.example')
    await raw(app, 'app.example')
  })
  expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/plain http/), {
    code: 'SCALE_SESSION_INSECURE',
  })
  warn.mockRestore()
})

/** Logs in with a Host header of one's own, which `fetch` would not send. */
async function raw(app: RunningApp, host: string): Promise<void> {
  const { request } = await import('node:http')
  await new Promise((resolve, reject) => {
    request(`${app.url}/login`, { method: 'POST', headers: { host } }, (res) =>
      res.resume().on('end', resolve),
    )
      .on('error', reject)
      .end()
  })
}

it('reads cookies without decoding them', () => {
  expect(readCookie('a=1; b=2;a=3 ;  a = 4;a', 'a')).toEqual(['1', '3'])
  expect(readCookie('', 'a')).toEqual([])
  expect(readCookie('a=', 'a')).toEqual([''])
  expect(readCookie(`a=${'x'.repeat(70_000)}`, 'a')).toEqual([])
})
