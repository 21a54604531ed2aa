import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import type { HttpCacheOptions } from '../../src/index.js'
import { deferred, until } from '../until.js'
import {
  type Answer,
  answering,
  cacheStatus,
  type Handler,
  isHit,
  MOUNTS,
  type Mount,
  type Scripted,
  type Site,
  site,
} from './harness.js'

/**
 * The checklist of `docs/concepts/http-cache-rfc9111.md`: each row is a requirement, and the test that shows it, over
 * real sockets, in front of a handler and in front of a proxy. The last test writes, and compares, the page.
 */
interface Row {
  readonly section: string
  readonly level: 'MUST' | 'MUST NOT' | 'SHOULD' | 'SHOULD NOT' | 'MAY'
  readonly requirement: string
}
const rows: Row[] = []
const tests: [string, (mount: Mount) => Promise<void>][] = []

function row(
  section: string,
  level: Row['level'],
  requirement: string,
  test: (open: Open) => Promise<void>,
): void {
  rows.push({ section, level, requirement })
  tests.push([
    `${section}: ${requirement}`,
    (mount) => test((handler, options) => opened(mount, handler, options)),
  ])
}

type Script = (
  req: { method?: string | undefined; url?: string | undefined; headers: Record<string, unknown> },
  n: number,
) => Scripted | Promise<Scripted>
type Open = (handler: Script | Scripted, options?: HttpCacheOptions) => Promise<Site>

const sites: Site[] = []
afterEach(async () => {
  await Promise.all(sites.splice(0).map((one) => one.close()))
})

async function opened(mount: Mount, given: Script | Scripted, options: HttpCacheOptions = {}): Promise<Site> {
  let n = 0
  const script: Script = typeof given === 'function' ? given : () => given
  const handler: Handler = answering(async (req) => {
    const answer = await script(req as never, ++n)
    return { body: `body ${n}`, ...answer, headers: { 'Surrogate-Key': 'k', ...answer.headers } }
  })
  const made = await site(mount, handler, { policy: 'origin', ...options })
  sites.push(made)
  return made
}

/** Asks twice: was the second answer a stored one? */
async function reuses(s: Site, first: Record<string, string> = {}, second = first): Promise<boolean> {
  await s.get('/a', first)
  return isHit(await s.get('/a', second))
}

async function stored(
  open: Open,
  headers: Record<string, string | string[]>,
  status = 200,
): Promise<boolean> {
  return reuses(await open({ status, headers }))
}

/** Everything stored goes stale. */
const age = async (s: Site): Promise<void> => {
  await s.cache.invalidateTags(['k'], { soft: true })
  // What is loaded in the very millisecond of an invalidation is not stored.
  await delay(2)
}
const httpDate = (offsetMs: number) => new Date(Date.now() + offsetMs).toUTCString()
const FRESH = { 'Cache-Control': 'max-age=100' }

// — RFC 9111 §3: storing

row('RFC 9111 §3', 'MUST NOT', 'store a response to a method other than GET', async (open) => {
  const s = await open({ headers: FRESH })
  await s.send('POST', '/a')
  await s.send('HEAD', '/a')
  expect(isHit(await s.get('/a'))).toBe(false)
})
row(
  'RFC 9111 §3',
  'MUST NOT',
  'store a status code that it does not understand if the response has must-understand',
  async (open) => {
    for (const status of [299, 499, 599]) {
      const mustUnderstand = { 'Cache-Control': 'max-age=100, no-store, must-understand' }
      expect(await stored(open, mustUnderstand, status)).toBe(false)
      expect(await stored(open, { 'Cache-Control': 'max-age=100, must-understand' }, status)).toBe(false)
    }
  },
)
row('RFC 9111 §3', 'MAY', 'store any other final status code with explicit freshness', async (open) => {
  for (const status of [299, 499, 599]) {
    expect(await stored(open, FRESH, status)).toBe(true)
    expect(await stored(open, {}, status)).toBe(false)
  }
})
row('RFC 9110 §14.4', 'MUST', 'take Content-Range in another status than 206 for any field', async (open) => {
  const s = await open({ headers: { ...FRESH, 'Content-Range': 'bytes 0-1/9' } })
  await s.get('/a')
  const second = await s.get('/a')
  expect([isHit(second), second.headers['content-range']]).toEqual([true, 'bytes 0-1/9'])
})
row('RFC 9111 §3', 'MUST NOT', 'store 206 or 304 as a whole response', async (open) => {
  expect(await stored(open, { ...FRESH, 'Content-Range': 'bytes 0-1/9' }, 206)).toBe(false)
})
row('RFC 9111 §3, §5.2.2.5', 'MUST NOT', 'store a response with no-store', async (open) => {
  expect(await stored(open, { 'Cache-Control': 'max-age=100, no-store' })).toBe(false)
  expect(await stored(open, { 'Cache-Control': ['max-age=100', 'NO-STORE'] })).toBe(false)
})
row('RFC 9111 §3, §5.2.2.7', 'MUST NOT', 'store a response with private, as a shared cache', async (open) => {
  expect(await stored(open, { 'Cache-Control': 'private, max-age=100' })).toBe(false)
})
row(
  'RFC 9111 §3',
  'MUST NOT',
  'store what has neither explicit freshness nor a lifetime of the route',
  async (open) => {
    expect(await stored(open, {})).toBe(false)
    expect(await stored(open, { 'Last-Modified': httpDate(-864e5) })).toBe(false)
    expect(await reuses(await open({}, { policy: 'route', ttlMs: 60_000 }))).toBe(true)
  },
)
row(
  'RFC 9111 §3',
  'MAY',
  'store with explicit freshness whatever the final status it understands',
  async (open) => {
    for (const status of [200, 203, 301, 404, 410, 500]) expect(await stored(open, FRESH, status)).toBe(true)
  },
)
row('RFC 9111 §3', 'SHOULD NOT', 'give errors a lifetime that the response does not name', async (open) => {
  for (const status of [400, 403, 404, 405, 414, 500, 503]) {
    expect(await reuses(await open({ status }, { policy: 'route', ttlMs: 60_000 }))).toBe(false)
  }
  expect(await reuses(await open({ status: 404 }, { policy: 'route', negativeTtlMs: 5_000 }))).toBe(true)
})
row(
  'RFC 9111 §3, §5.2.2.3',
  'MUST NOT',
  'store must-understand with a status it does not understand; MAY ignore no-store beside it if it does',
  async (open) => {
    expect(await stored(open, { 'Cache-Control': 'must-understand, no-store, max-age=100' })).toBe(true)
    expect(await stored(open, { 'Cache-Control': 'must-understand, max-age=100' }, 599)).toBe(false)
  },
)
row(
  'RFC 9111 §3.1',
  'MUST NOT',
  'store Connection and the fields it names, nor those of the connection',
  async (open) => {
    const s = await open({
      headers: {
        ...FRESH,
        Connection: 'X-Hop',
        'X-Hop': '1',
        'Proxy-Authenticate': 'Basic',
        'X-Other': 'kept',
      },
    })
    await s.get('/a')
    const { headers } = await s.get('/a')
    expect(headers).not.toHaveProperty('x-hop')
    expect(headers).not.toHaveProperty('proxy-authenticate')
    expect(headers['x-other']).toBe('kept')
  },
)
row('RFC 9111 §3.1', 'MUST', 'store all other fields, unknown ones too, repeated ones too', async (open) => {
  const s = await open({
    headers: { ...FRESH, 'X-Many': ['a', 'b'], Link: '</x>; rel=preload', 'Content-Language': 'de' },
  })
  await s.get('/a')
  expect((await s.get('/a')).headers).toMatchObject({
    'x-many': 'a, b',
    link: '</x>; rel=preload',
    'content-language': 'de',
  })
})
row(
  'RFC 9111 §3.2, §4.3.4',
  'MUST',
  'update the stored fields by those of a 304, without Content-Length and what describes the body',
  async (open) => {
    const s = await open((_req, n) =>
      n === 1
        ? { headers: { ...FRESH, ETag: '"v"', 'X-Version': '1', 'Content-Type': 'text/plain' } }
        : {
            status: 304,
            body: '',
            headers: { ETag: '"v"', 'Cache-Control': 'max-age=200', 'X-Version': '2' },
          },
    )
    await s.get('/a')
    await age(s)
    const validated = await s.get('/a')
    expect(validated).toMatchObject({ status: 200, body: 'body 1' })
    expect(s.seen.at(-1)!.headers['if-none-match']).toBe('"v"')
    const hit = await s.get('/a')
    expect(isHit(hit)).toBe(true)
    expect(hit.headers).toMatchObject({
      'x-version': '2',
      'cache-control': 'max-age=200',
      'content-type': 'text/plain',
      'content-length': '6',
    })
    expect(s.seen).toHaveLength(2)
  },
)
row('RFC 9111 §3.3', 'MUST NOT', 'store a response that was cut off', async (open) => {
  const s = await open((_req, n) => ({ headers: FRESH, cut: n === 1 }))
  await expect(s.get('/a')).rejects.toThrow()
  expect(await s.get('/a')).toMatchObject({ status: 200, body: 'body 2' })
  expect(s.seen).toHaveLength(2)
})
row(
  'RFC 9111 §3.5',
  'MUST NOT',
  'use a shared response for a request with Authorization unless allowed; here: never without a partition',
  async (open) => {
    const credentials = { authorization: 'Bearer one' }
    expect(await reuses(await open({ headers: FRESH }), credentials)).toBe(false)
    expect(
      await reuses(await open({ headers: { 'Cache-Control': 'public, max-age=100' } }), credentials),
    ).toBe(false)
    const s = await open({ headers: FRESH })
    await s.get('/a')
    expect(isHit(await s.get('/a', credentials))).toBe(false)
    await s.get('/b', credentials)
    expect(isHit(await s.get('/b'))).toBe(false)
  },
)

// — RFC 9111 §4: reuse

row('RFC 9111 §4', 'MUST NOT', 'reuse for another target: path, query, host, spelling', async (open) => {
  const s = await open({ headers: FRESH })
  await s.get('/a')
  for (const path of ['/A', '/a/', '/a?', '/a?x=1', '//a', '/%61', '/a;x', '/a%2F', '/./a']) {
    expect([path, isHit(await s.get(path))]).toEqual([path, false])
  }
  expect(isHit(await s.get('/a', { host: 'other.example' }))).toBe(false)
  expect(isHit(await s.get('/a', { host: `127.0.0.1:${s.port}` }))).toBe(true)
})
row('RFC 9111 §4', 'MUST', 'take the host without regard to case', async (open) => {
  const s = await open({ headers: FRESH })
  expect(await reuses(s, { host: 'Example.org' }, { host: 'eXAMPLE.ORG' })).toBe(true)
})
row('RFC 9111 §4', 'MUST', 'write unsafe methods through to the origin', async (open) => {
  const s = await open({ headers: FRESH })
  await s.get('/a')
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PURGE']) {
    const before = s.seen.length
    expect(isHit(await s.send(method, '/a'))).toBe(false)
    expect(s.seen.length).toBe(before + 1)
  }
})
row('RFC 9111 §4', 'MUST', 'generate Age when a stored response is used without validation', async (open) => {
  const s = await open({ headers: FRESH })
  await s.get('/a')
  expect((await s.get('/a')).headers.age).toBe('0')
})
row('RFC 9111 §4', 'MAY', 'collapse requests that are under way for one key', async (open) => {
  const gate = deferred()
  const s = await open(async () => {
    await gate.promise
    return { headers: FRESH }
  })
  let arrived = 0
  const arrives = (): void => {
    arrived++
  }
  subscribe('http.server.request.start', arrives)
  const asked = Array.from({ length: 10 }, () => s.get('/a'))
  await until(() => arrived >= 10)
  unsubscribe('http.server.request.start', arrives)
  gate.resolve()
  const answers = await Promise.all(asked)
  expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['body 1']))
  expect(s.seen).toHaveLength(1)
  expect(answers.filter((answer) => cacheStatus(answer).includes('collapsed')).length).toBe(9)
})
row('RFC 9111 §4.1', 'MUST NOT', 'reuse unless all fields that Vary names match', async (open) => {
  const s = await open((req) => ({
    headers: { ...FRESH, Vary: 'Accept-Language, X-Kind' },
    body: `${req.headers['accept-language']}`,
  }))
  await s.get('/a', { 'accept-language': 'de', 'x-kind': '1' })
  expect(isHit(await s.get('/a', { 'accept-language': 'fr', 'x-kind': '1' }))).toBe(false)
  expect(isHit(await s.get('/a', { 'accept-language': 'de' }))).toBe(false)
  expect(isHit(await s.get('/a', { 'accept-language': 'de', 'x-kind': '' }))).toBe(false)
  const hit = await s.get('/a', { 'accept-language': 'de', 'x-kind': '1' })
  expect([isHit(hit), hit.body]).toEqual([true, 'de'])
  expect(isHit(await s.get('/a', { 'accept-language': 'fr', 'x-kind': '1' }))).toBe(true)
})
row('RFC 9111 §4.1', 'MAY', 'normalise the values that are compared', async (open) => {
  const s = await open({ headers: { ...FRESH, Vary: 'Accept-Language' } })
  expect(await reuses(s, { 'accept-language': 'de, en;q=0.5' }, { 'accept-language': 'EN;q=0.5,  de' })).toBe(
    true,
  )
  const t = await open({ headers: { ...FRESH, Vary: 'Accept-Encoding' } })
  expect(await reuses(t, { 'accept-encoding': 'gzip, deflate' }, { 'accept-encoding': 'x-foo, GZIP' })).toBe(
    true,
  )
  expect(isHit(await t.get('/a', { 'accept-encoding': 'br' }))).toBe(false)
})
row('RFC 9111 §4.1', 'MUST NOT', 'reuse a response with `*` in Vary, wherever it stands', async (open) => {
  expect(await stored(open, { ...FRESH, Vary: '*' })).toBe(false)
  expect(await stored(open, { ...FRESH, Vary: ['Accept', 'X-A, *'] })).toBe(false)
})
row('RFC 9111 §4.2.1', 'MUST', 'take s-maxage before max-age before Expires', async (open) => {
  const s = await open({
    headers: { 'Cache-Control': 'max-age=10, s-maxage=500', Expires: httpDate(60_000) },
  })
  await s.get('/a')
  expect(ttlOf(await s.get('/a'))).toBeGreaterThan(490)
  const t = await open({ headers: { 'Cache-Control': 'max-age=10', Expires: httpDate(60_000) } })
  await t.get('/a')
  expect(ttlOf(await t.get('/a'))).toBeLessThanOrEqual(10)
  const u = await open({ headers: { Date: httpDate(0), Expires: httpDate(60_000) } })
  await u.get('/a')
  expect(ttlOf(await u.get('/a'))).toBeGreaterThan(50)
  expect(await stored(open, { 'Cache-Control': 's-maxage=0, max-age=100' })).toBe(false)
})
row(
  'RFC 9111 §4.2.1',
  'SHOULD',
  'take the most restrictive of repeated directives, and invalid freshness as stale',
  async (open) => {
    for (const value of [
      'max-age=x',
      'max-age=-1',
      'max-age=1.5',
      'max-age',
      'max-age=100, max-age=0',
      'max-age="0"',
      'max-age= ',
    ]) {
      expect([value, await stored(open, { 'Cache-Control': value })]).toEqual([value, false])
    }
  },
)
row('RFC 9111 §1.2.2', 'MUST', 'take a number of seconds that is too large as 2^31', async (open) => {
  expect(await stored(open, { 'Cache-Control': 'max-age=99999999999999999999' })).toBe(true)
})
row(
  'RFC 9111 §5.2',
  'MUST',
  'take directives without regard to case, as token or quoted, and ignore unknown ones',
  async (open) => {
    expect(await stored(open, { 'Cache-Control': 'Max-Age=100, Foo="no-store, private", bar=1' })).toBe(true)
    expect(await stored(open, { 'Cache-Control': 'MAX-AGE="100"' })).toBe(true)
  },
)
row('RFC 9111 §4.2.3', 'MUST', 'count the Age that a response came with, and Date', async (open) => {
  const s = await open({ headers: { ...FRESH, Age: '40' } })
  await s.get('/a')
  const hit = await s.get('/a')
  expect(Number(hit.headers.age)).toBeGreaterThanOrEqual(40)
  expect(ttlOf(hit)).toBeLessThanOrEqual(60)
  expect(await stored(open, { ...FRESH, Age: '100' })).toBe(false)
  expect(await stored(open, { ...FRESH, Date: httpDate(-200_000) })).toBe(false)
})
row('RFC 9111 §5.1', 'SHOULD', 'use the first member of Age and ignore an invalid one', async (open) => {
  const s = await open({ headers: { ...FRESH, Age: '30, 90' } })
  await s.get('/a')
  expect((await s.get('/a')).headers.age).toMatch(/^3\d$/)
  expect(await stored(open, { ...FRESH, Age: 'old' })).toBe(true)
})
row(
  'RFC 9111 §4.2.4',
  'MUST NOT',
  'serve stale where must-revalidate, proxy-revalidate, s-maxage or no-cache forbid it',
  async (open) => {
    for (const more of ['must-revalidate', 'proxy-revalidate', 's-maxage=100']) {
      const s = await open((_req, n) => ({
        status: n === 1 ? 200 : 503,
        headers: { 'Cache-Control': `max-age=100, ${more}, stale-if-error=100, stale-while-revalidate=100` },
      }))
      await s.get('/a')
      await age(s)
      expect([more, (await s.get('/a')).status]).toEqual([more, 503])
    }
  },
)
row('RFC 9111 §4.2.4', 'MUST NOT', 'serve stale unless something allows it', async (open) => {
  const s = await open((_req, n) => ({ headers: FRESH, status: n === 1 ? 200 : 503 }))
  await s.get('/a')
  await age(s)
  expect((await s.get('/a')).status).toBe(503)
})
row(
  'RFC 9111 §4.3.1',
  'MUST',
  'validate with the stored ETag and Last-Modified, and SHOULD with both',
  async (open) => {
    const modified = httpDate(-1e6)
    const s = await open((_req, n) =>
      n === 1
        ? { headers: { ...FRESH, ETag: 'W/"v"', 'Last-Modified': modified } }
        : { status: 304, body: '' },
    )
    await s.get('/a')
    await age(s)
    expect(await s.get('/a', { 'if-none-match': '"of the client"' })).toMatchObject({
      status: 200,
      body: 'body 1',
    })
    expect(s.seen[1]!.headers).toMatchObject({ 'if-none-match': 'W/"v"', 'if-modified-since': modified })
  },
)
row('RFC 9111 §4.3.1', 'MUST NOT', 'send conditions where nothing is stored', async (open) => {
  const s = await open({ headers: { ...FRESH, ETag: '"v"' } })
  const first = await s.get('/a', { 'if-none-match': '"x"', 'if-modified-since': httpDate(0) })
  expect(first).toMatchObject({ status: 200, body: 'body 1' })
  expect(s.seen[0]!.headers).not.toHaveProperty('if-none-match')
  expect(s.seen[0]!.headers).not.toHaveProperty('if-modified-since')
})
row(
  'RFC 9111 §4.3.2',
  'MUST',
  'evaluate the conditions of a request for which it has a response',
  async (open) => {
    const s = await open({ headers: { ...FRESH, ETag: '"v"' } })
    await s.get('/a')
    expect((await s.get('/a', { 'if-none-match': '"v"' })).status).toBe(304)
    expect((await s.get('/a', { 'if-none-match': '"w"' })).status).toBe(200)
    const miss = await s.get('/b', { 'if-none-match': '"v"' })
    expect(miss).toMatchObject({ status: 304, body: '' })
    expect(await s.get('/b')).toMatchObject({ status: 200, body: 'body 2' })
  },
)
row(
  'RFC 9111 §4.3.2',
  'MUST NOT',
  'evaluate conditions that are for the origin: If-Match, If-Unmodified-Since',
  async (open) => {
    const s = await open({ headers: { ...FRESH, ETag: '"v"' } })
    await s.get('/a')
    for (const headers of [{ 'if-match': '"other"' }, { 'if-unmodified-since': httpDate(-1e9) }]) {
      const answer = await s.get('/a', headers)
      expect([answer.status, isHit(answer)]).toEqual([200, false])
    }
  },
)
row(
  'RFC 9111 §4.3.2',
  'SHOULD',
  'use Date, where there is no Last-Modified, for If-Modified-Since',
  async (open) => {
    const s = await open({ headers: { ...FRESH, Date: httpDate(0) } })
    await s.get('/a')
    expect((await s.get('/a', { 'if-modified-since': httpDate(60_000) })).status).toBe(304)
    expect((await s.get('/a', { 'if-modified-since': httpDate(-60_000) })).status).toBe(200)
  },
)
row(
  'RFC 9111 §4.3.3',
  'MUST',
  'use a full response to a validation instead of the stored one',
  async (open) => {
    const s = await open({ headers: { ...FRESH, ETag: '"v"' } })
    await s.get('/a')
    await age(s)
    expect((await s.get('/a')).body).toBe('body 2')
    expect(await s.get('/a')).toMatchObject({ body: 'body 2' })
  },
)
row(
  'RFC 9111 §4.3.3',
  'MUST',
  'forward a server error to a validation, or serve stale only if allowed',
  async (open) => {
    const s = await open((_req, n) =>
      n === 1 ? { headers: { ...FRESH, ETag: '"v"' } } : { status: 502, body: 'bad' },
    )
    await s.get('/a')
    await age(s)
    expect(await s.get('/a')).toMatchObject({ status: 502, body: 'bad' })
  },
)
row('RFC 9111 §4.3.4', 'MUST NOT', 'update a response by a 304 with another validator', async (open) => {
  const s = await open((_req, n) =>
    n === 1
      ? { headers: { ...FRESH, ETag: '"v"', 'X-V': '1' } }
      : n === 2
        ? { status: 304, body: '', headers: { ETag: '"w"', ...FRESH, 'X-V': '2' } }
        : { headers: FRESH },
  )
  await s.get('/a')
  await age(s)
  expect((await s.get('/a')).headers['x-v']).toBe('1')
  expect((await s.get('/a')).body).toBe('body 3')
})
row(
  'RFC 9111 §4.3.5',
  'SHOULD',
  'take a stored GET as out of date when HEAD shows another validator',
  async (open) => {
    const s = await open((_req, n) => ({ headers: { ...FRESH, ETag: `"v${n}"` } }))
    await s.get('/a')
    await age(s)
    await s.send('HEAD', '/a')
    await until(async () => s.seen.length === 2)
    const after = await s.get('/a')
    expect(after.body).toBe('body 3')
    expect(s.seen[2]!.headers).not.toHaveProperty('if-none-match')
  },
)
row(
  'RFC 9110 §9.3.2',
  'SHOULD',
  'answer HEAD from a stored GET, with the same fields and no body',
  async (open) => {
    const s = await open({ headers: { ...FRESH, 'X-A': '1' } })
    await s.get('/a')
    const head = await s.send('HEAD', '/a')
    expect(head).toMatchObject({ status: 200, body: '' })
    expect(head.headers).toMatchObject({ 'x-a': '1', 'content-length': '6' })
    expect(isHit(head)).toBe(true)
  },
)
row(
  'RFC 9111 §4.4',
  'MUST',
  'invalidate the target after an unsafe request that succeeds, before its answer is complete',
  async (open) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PURGE']) {
      const s = await open({ headers: FRESH })
      await s.get('/a')
      await s.send(method, '/a')
      expect([method, isHit(await s.get('/a'))]).toEqual([method, false])
    }
  },
)
row('RFC 9111 §4.4', 'MUST', 'invalidate all variants of the target', async (open) => {
  const s = await open({ headers: { ...FRESH, Vary: 'X-Kind' } })
  for (const kind of ['1', '2']) await s.get('/a', { 'x-kind': kind })
  await s.send('POST', '/a')
  for (const kind of ['1', '2']) expect(isHit(await s.get('/a', { 'x-kind': kind }))).toBe(false)
})
row('RFC 9111 §4.4', 'MAY', 'invalidate what Location and Content-Location name', async (open) => {
  const s = await open((req) =>
    req.method === 'POST'
      ? { status: 201, headers: { Location: '/b', 'Content-Location': '/c?x=1' } }
      : { headers: FRESH },
  )
  for (const path of ['/b', '/c?x=1']) await s.get(path)
  await s.send('POST', '/a')
  for (const path of ['/b', '/c?x=1']) expect([path, isHit(await s.get(path))]).toEqual([path, false])
})
row('RFC 9111 §4.4', 'MUST NOT', 'invalidate on another origin', async (open) => {
  const s = await open((req) =>
    req.method === 'POST' ? { headers: { Location: 'http://other.example/b' } } : { headers: FRESH },
  )
  await s.get('/b', { host: 'other.example' })
  await s.send('POST', '/a', { host: 'mine.example' })
  expect(isHit(await s.get('/b', { host: 'other.example' }))).toBe(true)
})
row('RFC 9111 §4.4', 'MUST NOT', 'invalidate when an unsafe request fails', async (open) => {
  const s = await open((req) => (req.method === 'POST' ? { status: 409 } : { headers: FRESH }))
  await s.get('/a')
  await s.send('POST', '/a')
  expect(isHit(await s.get('/a'))).toBe(true)
})

// — RFC 9111 §5: fields

row(
  'RFC 9111 §5.2.1',
  'MAY',
  'ignore directives of requests, which are advisory; the default here',
  async (open) => {
    const s = await open({ headers: FRESH })
    await s.get('/a')
    for (const value of ['no-cache', 'no-store', 'max-age=0', 'min-fresh=1000']) {
      expect([value, isHit(await s.get('/a', { 'cache-control': value }))]).toEqual([value, true])
    }
    expect(isHit(await s.get('/a', { pragma: 'no-cache' }))).toBe(true)
  },
)
row('RFC 9111 §5.2.1, §5.4', 'SHOULD', 'honour them where the route says so', async (open) => {
  const s = await open({ headers: FRESH }, { clientDirectives: 'honour' })
  await s.get('/a')
  const fresh: Record<string, string>[] = [
    { 'cache-control': 'no-cache' },
    { 'cache-control': 'max-age=0, no-cache' },
    { 'cache-control': 'min-fresh=1000' },
    { pragma: 'no-cache' },
  ]
  for (const headers of fresh) expect([headers, isHit(await s.get('/a', headers))]).toEqual([headers, false])
  expect(isHit(await s.get('/a', { 'cache-control': 'max-age=50' }))).toBe(true)
  await s.get('/n', { 'cache-control': 'no-store' })
  expect(isHit(await s.get('/n'))).toBe(false)
})
row('RFC 9111 §5.2.1.7', 'SHOULD', 'answer only-if-cached from the store, or with 504', async (open) => {
  const s = await open({ headers: FRESH })
  expect((await s.get('/a', { 'cache-control': 'only-if-cached' })).status).toBe(504)
  expect(s.seen).toHaveLength(0)
  await s.get('/a')
  expect(isHit(await s.get('/a', { 'cache-control': 'only-if-cached' }))).toBe(true)
})
row(
  'RFC 9111 §5.2.2.2',
  'MUST NOT',
  'reuse a stale response with must-revalidate without validation',
  async (open) => {
    const s = await open(
      (_req, n) => ({
        headers: { 'Cache-Control': 'max-age=100, must-revalidate', ETag: '"v"' },
        status: n === 1 ? 200 : 504,
      }),
      { staleIfErrorMs: 60_000, staleWhileRevalidateMs: 60_000 },
    )
    await s.get('/a')
    await age(s)
    expect((await s.get('/a')).status).toBe(504)
  },
)
row(
  'RFC 9111 §5.2.2.4',
  'MUST NOT',
  'reuse a response with no-cache without validation; here it is not stored',
  async (open) => {
    expect(await stored(open, { 'Cache-Control': 'no-cache, max-age=100' })).toBe(false)
    expect(await stored(open, { 'Cache-Control': 'max-age=100, no-cache="x", no-cache' })).toBe(false)
  },
)
row('RFC 9111 §5.2.2.4', 'MUST NOT', 'send fields that no-cache="…" names from the store', async (open) => {
  const s = await open({
    headers: {
      'Cache-Control': 'max-age=100, no-cache="X-Token, x-b"',
      'X-Token': '1',
      'X-B': '2',
      'X-C': '3',
    },
  })
  expect((await s.get('/a')).headers['x-token']).toBe('1')
  const { headers } = await s.get('/a')
  expect(headers).not.toHaveProperty('x-token')
  expect(headers).not.toHaveProperty('x-b')
  expect(headers['x-c']).toBe('3')
})
row('RFC 9111 §5.2.2.7', 'MUST NOT', 'store fields that private="…" names', async (open) => {
  const s = await open({ headers: { 'Cache-Control': 'max-age=100, private="x-user"', 'X-User': 'me' } })
  await s.get('/a')
  const hit = await s.get('/a')
  expect([isHit(hit), hit.headers['x-user']]).toEqual([true, undefined])
})
row('RFC 9111 §5.2.3', 'MUST', 'ignore extensions it does not know', async (open) => {
  expect(await stored(open, { 'Cache-Control': 'max-age=100, immutable, community="UCI", x-foo=1' })).toBe(
    true,
  )
})
row('RFC 9111 §5.3', 'MUST', 'take an invalid Expires, "0" above all, as in the past', async (open) => {
  for (const value of [
    '0',
    '-1',
    'tomorrow',
    httpDate(1e7).replace('GMT', 'UTC'),
    httpDate(1e7).replace('GMT', '+0100'),
    httpDate(1e7).replace(/ (\d\d:\d\d):\d\d /, ' $1 '),
    httpDate(1e7).replace(/^\w+, /, ''),
    new Date(Date.now() + 1e7).toISOString(),
  ]) {
    expect([value, await stored(open, { Expires: value })]).toEqual([value, false])
  }
})
row('RFC 9110 §5.6.7', 'MUST', 'read dates in the three forms', async (open) => {
  for (const value of [
    'Sunday, 06-Nov-44 08:49:37 GMT',
    'Sun Nov  6 08:49:37 2044',
    'Sun, 06 Nov 2044 08:49:37 GMT',
  ]) {
    expect([value, await stored(open, { Expires: value })]).toEqual([value, true])
  }
  expect(await stored(open, { Expires: 'Sunday, 06-Nov-94 08:49:37 GMT' })).toBe(false)
})
row('RFC 9111 §5.2.2.10', 'MUST', 'let max-age and s-maxage override Expires', async (open) => {
  expect(await stored(open, { 'Cache-Control': 'max-age=100', Expires: '0' })).toBe(true)
  expect(await stored(open, { 'Cache-Control': 'max-age=0', Expires: httpDate(1e6) })).toBe(false)
})
row(
  'RFC 9111 §7.3',
  'SHOULD',
  'keep Set-Cookie with the one client it is for; here: not stored',
  async (open) => {
    expect(await stored(open, { ...FRESH, 'Set-Cookie': 'id=1' })).toBe(false)
    expect(await stored(open, { 'Cache-Control': 'public, max-age=100', 'Set-Cookie': ['a=1', 'b=2'] })).toBe(
      false,
    )
  },
)

// — RFC 9110: validators, conditions, ranges

row('RFC 9110 §6.6.1', 'MUST', 'keep Date as the origin set it', async (open) => {
  const date = httpDate(-20_000)
  const s = await open({ headers: { ...FRESH, Date: date } })
  await s.get('/a')
  expect((await s.get('/a')).headers.date).toBe(date)
})
row('RFC 9110 §8.8.3.2', 'MUST', 'compare If-None-Match weakly: lists, weak tags, `*`', async (open) => {
  const s = await open({ headers: { ...FRESH, ETag: 'W/"a,b"' } })
  await s.get('/a')
  for (const value of ['W/"a,b"', '"a,b"', '"x" , W/"a,b"', '*', '"x","a,b","y"']) {
    expect([value, (await s.get('/a', { 'if-none-match': value })).status]).toEqual([value, 304])
  }
  for (const value of ['"a"', 'a,b', '"x"', 'W/"A,B"', '"a,b']) {
    expect([value, (await s.get('/a', { 'if-none-match': value })).status]).toEqual([value, 200])
  }
})
row(
  'RFC 9110 §13.1.3',
  'MUST',
  'ignore If-Modified-Since beside If-None-Match, and one that is no date',
  async (open) => {
    const s = await open({ headers: { ...FRESH, ETag: '"v"', 'Last-Modified': httpDate(-1e6) } })
    await s.get('/a')
    expect((await s.get('/a', { 'if-none-match': '"w"', 'if-modified-since': httpDate(0) })).status).toBe(200)
    expect((await s.get('/a', { 'if-modified-since': httpDate(0) })).status).toBe(304)
    expect((await s.get('/a', { 'if-modified-since': 'yesterday' })).status).toBe(200)
  },
)
row(
  'RFC 9110 §15.4.5',
  'MUST',
  'send Cache-Control, Content-Location, Date, ETag, Expires and Vary in a 304',
  async (open) => {
    const sent = {
      ...FRESH,
      'Content-Location': '/x',
      ETag: '"v"',
      Expires: httpDate(1e5),
      Vary: 'X-A',
      'Content-Type': 'text/x',
      'Last-Modified': httpDate(-1e6),
    }
    const s = await open({ headers: sent })
    await s.get('/a')
    const { status, headers } = await s.get('/a', { 'if-none-match': '"v"' })
    expect(status).toBe(304)
    expect(headers).toMatchObject({
      'cache-control': 'max-age=100',
      'content-location': '/x',
      etag: '"v"',
      expires: sent.Expires,
      vary: 'x-a',
    })
    expect(headers).toHaveProperty('date')
    expect(headers).not.toHaveProperty('content-type')
  },
)
row('RFC 9110 §13.2.1', 'MUST', 'evaluate conditions only where the answer would be 200', async (open) => {
  const s = await open({ status: 404, headers: { ...FRESH, ETag: '"v"' } })
  await s.get('/a')
  expect((await s.get('/a', { 'if-none-match': '"v"' })).status).toBe(404)
})
row('RFC 9110 §14.2', 'MAY', 'answer a range from a stored 200', async (open) => {
  const s = await open({ headers: FRESH, body: '0123456789' })
  await s.get('/a')
  for (const [range, body, content] of [
    ['bytes=0-3', '0123', '0-3'],
    ['bytes=7-', '789', '7-9'],
    ['bytes=-2', '89', '8-9'],
    ['bytes=5-99', '56789', '5-9'],
  ]) {
    const answer = await s.get('/a', { range: range! })
    expect(answer).toMatchObject({ status: 206, body })
    expect(answer.headers['content-range']).toBe(`bytes ${content}/10`)
  }
})
row(
  'RFC 9110 §14.1.1, §14.2',
  'MUST',
  'ignore a range that is malformed, of another unit, or not for GET',
  async (open) => {
    const s = await open({ headers: FRESH, body: '0123456789' })
    await s.get('/a')
    for (const range of ['bytes=3-1', 'bytes=-', 'lines=0-1', 'bytes=0-1,4-5', 'bytes=a-b']) {
      expect([range, (await s.get('/a', { range })).status]).toEqual([range, 200])
    }
    expect((await s.send('HEAD', '/a', { range: 'bytes=0-1' })).status).toBe(200)
  },
)
row('RFC 9110 §15.5.17', 'SHOULD', 'answer a range beyond the end with 416 and the length', async (open) => {
  const s = await open({ headers: FRESH, body: '0123456789' })
  await s.get('/a')
  const answer = await s.get('/a', { range: 'bytes=10-' })
  expect(answer).toMatchObject({ status: 416, body: '' })
  expect(answer.headers['content-range']).toBe('bytes */10')
})
row('RFC 9110 §13.1.5', 'MUST', 'compare If-Range strongly', async (open) => {
  const s = await open({ headers: { ...FRESH, ETag: '"v"' }, body: '0123456789' })
  await s.get('/a')
  const asked = async (ifRange: string) =>
    (await s.get('/a', { range: 'bytes=0-1', 'if-range': ifRange })).status
  expect([await asked('"v"'), await asked('W/"v"'), await asked('"w"'), await asked(httpDate(0))]).toEqual([
    206, 200, 200, 200,
  ])
})
row(
  'RFC 9111 §3.3',
  'MUST NOT',
  'take a part for the whole: a range that misses is not stored',
  async (open) => {
    const s = await open((req) =>
      req.headers.range === undefined
        ? { headers: FRESH }
        : { status: 206, body: 'bo', headers: { ...FRESH, 'Content-Range': 'bytes 0-1/6' } },
    )
    expect(await s.get('/a', { range: 'bytes=0-1' })).toMatchObject({ status: 206, body: 'bo' })
    expect(await s.get('/a')).toMatchObject({ status: 200, body: 'body 2' })
  },
)

row('RFC 9110 §15.2', 'MUST', 'pass interim responses on, and not store them', async (open) => {
  const s = await open({ headers: FRESH, hint: '</style.css>; rel=preload' })
  const first = await s.get('/a')
  expect([first.status, first.hints]).toEqual([200, ['</style.css>; rel=preload']])
  const second = await s.get('/a')
  expect([second.status, second.hints, isHit(second)]).toEqual([200, [], true])
})

// — RFC 5861

row(
  'RFC 5861 §3',
  'MAY',
  'serve stale within stale-while-revalidate, and SHOULD revalidate meanwhile',
  async (open) => {
    const s = await open({ headers: { 'Cache-Control': 'max-age=100, stale-while-revalidate=100' } })
    await s.get('/a')
    await age(s)
    const stale = await s.get('/a')
    expect(stale.body).toBe('body 1')
    expect(cacheStatus(stale)).toMatch(
      /scale; hit; ttl=-1; detail=stale-while-revalidate|scale; hit; ttl=-?0/,
    )
    await until(async () => (await s.get('/a')).body === 'body 2')
    expect(s.seen).toHaveLength(2)
  },
)
row('RFC 5861 §4', 'MAY', 'serve stale within stale-if-error on 500, 502, 503 and 504', async (open) => {
  for (const status of [500, 502, 503, 504]) {
    const s = await open((_req, n) =>
      n === 1
        ? { headers: { 'Cache-Control': 'max-age=100, stale-if-error=100' } }
        : { status, headers: { 'X-Error': '1' } },
    )
    await s.get('/a')
    await age(s)
    const answer = await s.get('/a')
    expect(answer).toMatchObject({ status: 200, body: 'body 1' })
    expect(answer.headers).not.toHaveProperty('x-error')
    expect(cacheStatus(answer)).toContain('detail=stale-if-error')
  }
})
row('RFC 5861 §4', 'MUST NOT', 'serve stale for other statuses', async (open) => {
  for (const status of [404, 403, 501]) {
    const s = await open((_req, n) =>
      n === 1 ? { headers: { 'Cache-Control': 'max-age=100, stale-if-error=100' } } : { status },
    )
    await s.get('/a')
    await age(s)
    expect((await s.get('/a')).status).toBe(status)
  }
})

// — RFC 9211

row(
  'RFC 9211 §2',
  'MUST',
  'add one member to Cache-Status on every response, behind those of caches nearer the origin',
  async (open) => {
    const s = await open({ headers: { ...FRESH, 'Cache-Status': 'Origin; hit' } })
    expect(cacheStatus(await s.get('/a'))).toBe('Origin; hit, scale; fwd=uri-miss; stored')
    expect(cacheStatus(await s.get('/a'))).toMatch(/^scale; hit; ttl=\d+; detail=l1$/)
    expect(cacheStatus(await s.get('/a', { authorization: 'x' }))).toBe(
      'Origin; hit, scale; fwd=bypass; detail=credentials',
    )
    expect(cacheStatus(await s.send('POST', '/a'))).toBe('Origin; hit, scale; fwd=method; detail=unsafe')
  },
)
row('RFC 9211 §2.1, §2.2', 'MUST NOT', 'say hit and fwd together', async (open) => {
  const s = await open({ headers: FRESH })
  for (const answer of [await s.get('/a'), await s.get('/a'), await s.send('POST', '/a')]) {
    expect(/hit/.test(cacheStatus(answer)) && /fwd=/.test(cacheStatus(answer))).toBe(false)
  }
})
row(
  'RFC 9211 §2.2',
  'SHOULD',
  'say why it went forward: uri-miss, vary-miss, stale, bypass, method',
  async (open) => {
    const s = await open({ headers: { ...FRESH, Vary: 'X-Kind', ETag: '"v"' } })
    expect(cacheStatus(await s.get('/a', { 'x-kind': '1' }))).toContain('fwd=uri-miss')
    await s.get('/a', { 'x-kind': '1' })
    await age(s)
    expect(cacheStatus(await s.get('/a', { 'x-kind': '1' }))).toMatch(/fwd=stale/)
  },
)
row(
  'RFC 9211 §2.3, §2.5',
  'SHOULD',
  'say stored only of what is stored, and the status of a validation',
  async (open) => {
    const s = await open((_req, n) =>
      n === 2 ? { status: 304, body: '' } : { headers: { ...FRESH, ETag: '"v"' } },
    )
    await s.get('/a')
    await age(s)
    expect(cacheStatus(await s.get('/a'))).toMatch(/^scale; fwd=stale; fwd-status=304; stored; ttl=\d+$/)
    expect(cacheStatus(await (await open({ headers: { 'Cache-Control': 'no-store' } })).get('/a'))).toBe(
      'scale; fwd=uri-miss; detail=no-store',
    )
  },
)

row(
  'RFC 9111 §5.2.2.4',
  'MAY',
  "keep a response with no-cache to revalidate it, in front of an origin (`policy: 'origin'`)",
  async (open) => {
    for (const control of ['no-cache', 'no-cache, max-age=100', 'max-age=0']) {
      const conditions: unknown[] = []
      const s = await open(({ headers }, n) => {
        conditions.push(headers['if-none-match'])
        const status = headers['if-none-match'] === '"v"' ? 304 : 200
        return { status, headers: { 'Cache-Control': control, ETag: '"v"' }, body: `body ${n}` }
      })
      for (let i = 0; i < 3; i++) {
        const answer = await s.get('/a')
        expect([answer.status, answer.body, isHit(answer)]).toEqual([200, 'body 1', false])
      }
      expect(conditions).toEqual([undefined, '"v"', '"v"'])
    }
  },
)
row(
  'RFC 9111 §5.2.2.4',
  'MUST NOT',
  'let requests wait for one another for such a response',
  async (open) => {
    const gate = deferred()
    const s = await open(async ({ headers }, n) => {
      if (n === 2) await gate.promise
      return {
        headers: { 'Cache-Control': 'no-cache', ETag: `"${n}"` },
        body: `${n} ${headers['if-none-match']}`,
      }
    })
    expect((await s.get('/a')).body).toBe('1 undefined')
    const first = s.get('/a')
    await until(() => s.seen.length === 2)
    expect((await s.get('/a')).body).toBe('3 "1"')
    gate.resolve()
    expect((await first).body).toBe('2 "1"')
  },
)
row(
  'RFC 9111 §4.2.2',
  'MAY',
  'work out a lifetime, but only if that is asked for (`heuristicRatio`)',
  async (open) => {
    const modified = { 'Last-Modified': httpDate(-864e5) }
    const reused = async (status: number, headers: Record<string, string>, heuristicRatio: number) =>
      reuses(await open({ status, headers }, { heuristicRatio }))
    for (const status of [200, 203, 204, 404, 405, 410, 414, 501]) {
      expect([status, await reused(status, modified, 0.1), await reused(status, modified, 0)]).toEqual([
        status,
        true,
        false,
      ])
    }
    for (const status of [201, 202, 403, 502, 503, 599])
      expect(await reused(status, modified, 0.1)).toBe(false)
    expect(await reused(599, { ...modified, 'Cache-Control': 'public' }, 0.1)).toBe(true)
    expect(await reused(200, { ...modified, 'Cache-Control': 'no-store' }, 0.1)).toBe(false)
    const s = await open({ headers: { 'Last-Modified': httpDate(-10_000) } }, { heuristicRatio: 0.1 })
    await s.get('/a')
    expect(cacheStatus(await s.get('/a'))).toMatch(/hit; ttl=[01];/)
  },
)
row('RFC 9111 §4.2', 'SHOULD', 'read dates in any case', async (open) => {
  for (const change of [
    (date: string) => date.toLowerCase(),
    (date: string) => date.toUpperCase(),
    (date: string) => date.replace('GMT', 'gMT'),
  ]) {
    expect(await stored(open, { Expires: change(httpDate(60_000)) })).toBe(true)
    expect(await stored(open, { Expires: change(httpDate(-60_000)) })).toBe(false)
  }
})
row(
  'RFC 9111 §4.1',
  'MAY',
  'take lists that differ in white space around commas for the same',
  async (open) => {
    const vary = () => open({ headers: { ...FRESH, Vary: 'foo' } })
    expect(await reuses(await vary(), { foo: '1,2' }, { foo: ' 1, 2 ' })).toBe(true)
    expect(await reuses(await vary(), { foo: '"1,2"' }, { foo: '"1, 2"' })).toBe(false)
    expect(await reuses(await vary(), { foo: '1,2' }, { foo: '1 ,2 3' })).toBe(false)
  },
)
row(
  'RFC 9111 §7.3',
  'MAY',
  "reuse a response with Set-Cookie where the route says so (`setCookie: 'store'`)",
  async (open) => {
    const s = await open({ headers: { ...FRESH, 'Set-Cookie': ['a=1', 'b=2'] } }, { setCookie: 'store' })
    await s.get('/a')
    const second = await s.get('/a')
    expect([isHit(second), second.headers['set-cookie']]).toEqual([true, ['a=1', 'b=2']])
  },
)

// — RFC 9213

row(
  'RFC 9213 §2.2',
  'MUST',
  'take the first valid target field instead of Cache-Control and Expires',
  async (open) => {
    expect(
      await stored(open, { 'CDN-Cache-Control': 'max-age=100', 'Cache-Control': 'no-store', Expires: '0' }),
    ).toBe(true)
    expect(await stored(open, { 'CDN-Cache-Control': 'no-store', 'Cache-Control': 'max-age=100' })).toBe(
      false,
    )
    const s = await open({
      headers: {
        'Scale-Cache-Control': 'max-age=500',
        'CDN-Cache-Control': 'max-age=50',
        'Cache-Control': 'max-age=5',
      },
    })
    await s.get('/a')
    expect(ttlOf(await s.get('/a'))).toBeGreaterThan(490)
  },
)
row('RFC 9213 §2.1', 'MUST', 'ignore a lifetime in a target field that is no integer', async (open) => {
  for (const value of ['"100"', '100.5', 'abc', ':MTAw:', '?1', '']) {
    const target = { 'CDN-Cache-Control': `max-age${value === '' ? '' : `=${value}`}` }
    expect([value, await stored(open, { ...target, 'Cache-Control': 'no-store' })]).toEqual([value, false])
    expect([value, await stored(open, { ...target, ...FRESH })]).toEqual([value, true])
  }
  for (const value of [
    'max-age=100;a=1',
    'x=(1 "2";a);b, max-age=100',
    'max-age=0, max-age=100, y=@1, z=%"%c3%bc"',
  ]) {
    expect([value, await stored(open, { 'CDN-Cache-Control': value, 'Cache-Control': 'no-store' })]).toEqual([
      value,
      true,
    ])
  }
  expect(await stored(open, { 'CDN-Cache-Control': 'max-age=(100)', 'Cache-Control': 'no-store' })).toBe(
    false,
  )
})
row('RFC 9213 §2.1', 'MUST', 'ignore a target field that is empty or not a dictionary', async (open) => {
  for (const value of ['', 'max-age=', 'no-store,', '"no-store"', 'No-Store', 'no-store; =']) {
    expect([value, await stored(open, { 'CDN-Cache-Control': value, ...FRESH })]).toEqual([value, true])
  }
})
row(
  'RFC 9213 §2.1',
  'MUST',
  'know max-age, must-revalidate, no-store, no-cache and private in a target field',
  async (open) => {
    for (const value of ['no-store', 'private', 'no-cache', 'max-age=0']) {
      expect([value, await stored(open, { 'CDN-Cache-Control': value, ...FRESH })]).toEqual([value, false])
    }
    const s = await open((_req, n) => ({
      status: n === 1 ? 200 : 503,
      headers: { 'CDN-Cache-Control': 'max-age=100, must-revalidate, stale-if-error=100' },
    }))
    await s.get('/a')
    await age(s)
    expect((await s.get('/a')).status).toBe(503)
  },
)
row(
  'RFC 9213 §3.1',
  'SHOULD',
  "pass on CDN-Cache-Control for caches downstream, and keep this cache's own field to itself",
  async (open) => {
    const s = await open({
      headers: { 'Scale-Cache-Control': 'max-age=500', 'CDN-Cache-Control': 'max-age=50' },
    })
    for (const answer of [await s.get('/a'), await s.get('/a'), await s.get('/a', { cookie: 'a=1' })]) {
      expect(answer.headers).not.toHaveProperty('scale-cache-control')
      expect(answer.headers['cdn-cache-control']).toBe('max-age=50')
    }
  },
)

// — RFC 9875

row(
  'RFC 9875 §2',
  'MUST',
  'invalidate the members of a group that an unsafe response names, and no others',
  async (open) => {
    const s = await open((req) =>
      req.method === 'POST'
        ? { headers: { 'Cache-Group-Invalidation': '"scripts", "x"' } }
        : { headers: { ...FRESH, 'Cache-Groups': req.url === '/b' ? '"styles"' : '"scripts";p=1, "all"' } },
    )
    for (const path of ['/a', '/b']) await s.get(path)
    await s.send('POST', '/elsewhere')
    expect([isHit(await s.get('/a')), isHit(await s.get('/b'))]).toEqual([false, true])
  },
)
row(
  'RFC 9875 §2.1',
  'MUST',
  'keep groups of different origins apart, and compare names case-sensitively',
  async (open) => {
    const s = await open((req) =>
      req.method === 'POST'
        ? { headers: { 'Cache-Group-Invalidation': '"g"' } }
        : { headers: { ...FRESH, 'Cache-Groups': req.url === '/b' ? '"G"' : '"g"' } },
    )
    await s.get('/a', { host: 'one.example' })
    await s.get('/b', { host: 'two.example' })
    await s.send('POST', '/x', { host: 'two.example' })
    expect(isHit(await s.get('/a', { host: 'one.example' }))).toBe(true)
    expect(isHit(await s.get('/b', { host: 'two.example' }))).toBe(true)
  },
)
row('RFC 9875 §2', 'MUST', 'support 32 groups of 32 characters', async (open) => {
  const groups = Array.from({ length: 32 }, (_, i) => `group-${i}-`.padEnd(32, 'x'))
  const s = await open((req) =>
    req.method === 'POST'
      ? { headers: { 'Cache-Group-Invalidation': `"${groups[31]}"` } }
      : { headers: { ...FRESH, 'Cache-Groups': groups.map((g) => `"${g}"`).join(', ') } },
  )
  await s.get('/a')
  expect(isHit(await s.get('/a'))).toBe(true)
  await s.send('POST', '/x')
  expect(isHit(await s.get('/a'))).toBe(false)
})
row('RFC 9875 §3', 'MUST NOT', 'invalidate groups by safe methods or by failures', async (open) => {
  const s = await open((req) => ({
    status: req.method === 'POST' ? 500 : 200,
    headers: {
      ...(req.url === '/a' ? { ...FRESH, 'Cache-Groups': '"g"' } : {}),
      'Cache-Group-Invalidation': '"g"',
    },
  }))
  await s.get('/a')
  await s.get('/x')
  await s.send('POST', '/x')
  expect(isHit(await s.get('/a'))).toBe(true)
})

// — Hardening beyond the text

row(
  'RFC 9110 §9.3.1',
  'SHOULD',
  'not let a body of GET decide: such a request goes past the cache',
  async (open) => {
    const s = await open({ headers: FRESH })
    await s.send('GET', '/a', { 'content-length': '1' }, 'x')
    expect(isHit(await s.get('/a'))).toBe(false)
  },
)
row('RFC 9112 §3.2', 'MUST', 'not be misled by an absolute target: it goes past the cache', async (open) => {
  const s = await open({ headers: FRESH })
  await s.get('/a')
  const raw = await rawRequest(
    s.port,
    `GET http://evil.example/a HTTP/1.1\r\nHost: 127.0.0.1:${s.port}\r\nConnection: close\r\n\r\n`,
  )
  expect(raw).not.toMatch(/cache-status: scale; hit/i)
})

function ttlOf(answer: Answer): number {
  return Number(/ttl=(-?\d+)/.exec(cacheStatus(answer))?.[1])
}

function rawRequest(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('end', () => resolve(answer))
    socket.on('error', reject)
  })
}

describe.each(MOUNTS)('cache.http as a shared cache, %s', (mount) => {
  it.each(tests)('%s', (_name, test) => test(mount))
})

/** The page is made of the rows: run with UPDATE_DOCS=1 to write it. */
it('docs/concepts/http-cache-rfc9111.md lists these rows', () => {
  const page = fileURLToPath(new URL('../../../../docs/concepts/http-cache-rfc9111.md', import.meta.url))
  const cells = rows.map(({ section, level, requirement }) => `| ${section} | ${level} | ${requirement} |`)
  const text = [
    '# HTTP cache: checklist of RFC 9111 and its neighbours',
    '',
    '- What `cache.http` of `@scale/cache` does, requirement by requirement: RFC 9111, RFC 9110 §8.8, §13 and §14, RFC 5861, 9211, 9213, 9875.',
    '- Each row is a test of the same name in `packages/cache/test/http/rfc.test.ts`, run over real sockets in front of Express 5, of Express 4, and of a proxy to another origin.',
    '- This page is written by that test; a row without a test, or a test without a row, cannot be.',
    '',
    '| section | level | a shared cache does this |',
    '|---|---|---|',
    ...cells,
    '',
  ].join('\n')
  if (process.env.UPDATE_DOCS === '1' || !existsSync(page)) writeFileSync(page, text)
  // How a formatter pads tables is not ours.
  const plain = (markdown: string) =>
    markdown
      .replace(/ +/g, ' ')
      .replace(/\| ?-+ ?/g, '|---')
      .trim()
  expect(plain(readFileSync(page, 'utf8'))).toBe(plain(text))
})
