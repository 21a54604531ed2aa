import { SignJWT } from 'jose'
import type { Answer, App } from './app.js'

/** One page in docs/migration: the same requests to the app before and to the app after. */
export interface Case {
  readonly peer: string
  /** What is seen, by names. */
  visit(app: App): Promise<Record<string, unknown>>
  /** Seen of both. */
  readonly same: Record<string, unknown>
  /** Seen of each. */
  readonly differs: readonly Difference[]
}

/** What is otherwise after the move. */
export interface Difference {
  /** The first cell of its row in the page's table. */
  readonly row: string
  readonly name: string
  readonly before: unknown
  readonly after: unknown
}

export const secrets = {
  SESSION_SECRET: 'a secret of at least thirty-two characters',
  JWT_SECRET: 'another secret, of at least thirty-two characters',
}

function token(claims: Record<string, unknown>, secret: string = secrets.JWT_SECRET): Promise<string> {
  return new SignJWT({ iss: 'https://login.example/', aud: 'https://api.example', ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret))
}

const FORGED = 'error="invalid_token", error_description="The signature of the access token is wrong"'

const bearer = async (claims: Record<string, unknown>, secret?: string): Promise<Record<string, string>> => ({
  authorization: `Bearer ${await token(claims, secret)}`,
})

// biome-ignore lint/suspicious/noExplicitAny: whatever a logger writes
const linesOf = (text: string): any[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

export const cases: readonly Case[] = [
  {
    peer: 'express-session',
    visit: async (app) => {
      const ann = app.client()
      const anonymous = await ann('GET', '/me')
      await ann('POST', '/cart/tea')
      const { headers } = await ann('POST', '/login/ann')
      await ann('POST', '/cart/jam')
      const me = await ann('GET', '/me')
      const kept = new Map(ann.cookies)
      const out = await ann('POST', '/logout')
      return {
        anonymous: anonymous.status,
        me: me.body,
        'after the logout': (await app.client(kept)('GET', '/me')).status,
        cookie: headers.getSetCookie()[0]!.replace(/=[^;]+/, ''),
        'taken back': out.headers.getSetCookie().length === 1,
      }
    },
    same: { anonymous: 401, me: { user: 'ann', cart: ['tea', 'jam'] }, 'after the logout': 401 },
    differs: [
      {
        row: 'the cookie',
        name: 'cookie',
        before: 'connect.sid; Path=/; HttpOnly',
        after: '__Host-session; Path=/; HttpOnly; Secure; SameSite=Lax',
      },
      { row: 'a logout takes the cookie back', name: 'taken back', before: false, after: true },
    ],
  },
  {
    peer: 'cookie-session',
    visit: async (app) => {
      const ann = app.client()
      const anonymous = await ann('GET', '/me')
      await ann('POST', '/login/ann')
      const me = await ann('GET', '/me')
      const kept = new Map(ann.cookies)
      await ann('POST', '/logout')
      return {
        anonymous: anonymous.status,
        me: me.body,
        'logged out': (await ann('GET', '/me')).status,
        'after the logout': (await app.client(kept)('GET', '/me')).status,
        'in the cookie': [...kept.values()].some((value) =>
          Buffer.from(value, 'base64').toString().includes('ann'),
        ),
      }
    },
    same: { anonymous: 401, me: { user: 'ann' }, 'logged out': 401 },
    differs: [
      {
        row: 'a copy of the cookie after the logout',
        name: 'after the logout',
        before: 200,
        after: 401,
      },
      { row: 'the client can read the data', name: 'in the cookie', before: true, after: false },
    ],
  },
  {
    peer: 'express-rate-limit',
    visit: async (app) => {
      const client = app.client()
      const answers: Answer[] = []
      for (let request = 0; request < 4; request++) answers.push(await client('GET', '/'))
      const last = answers[3]!
      return {
        statuses: answers.map(({ status }) => status),
        remaining: answers.map(({ headers }) => /remaining=(\d+)/.exec(headers.get('ratelimit')!)?.[1]),
        policy: last.headers.get('ratelimit-policy'),
        'Retry-After': last.headers.has('retry-after'),
        body: last.body?.title ?? last.text,
        'another address': (await client('GET', '/', { 'x-forwarded-for': '203.0.113.9' })).status,
      }
    },
    same: {
      statuses: [200, 200, 200, 429],
      remaining: ['2', '1', '0', '0'],
      policy: '3;w=60',
      'Retry-After': true,
      'another address': 200,
    },
    differs: [
      {
        row: 'the body of a 429',
        name: 'body',
        before: 'Too many requests, please try again later.',
        after: 'Request cannot be satisfied as assigned quota has been exceeded',
      },
    ],
  },
  {
    peer: 'rate-limiter-flexible',
    visit: async (app) => {
      const client = app.client()
      const answers: Answer[] = []
      for (let request = 0; request < 5; request++) answers.push(await client('GET', '/'))
      const wait = Number(answers[4]!.headers.get('retry-after'))
      return {
        statuses: answers.map(({ status }) => status),
        'blocked for two minutes': wait > 118 && wait <= 150,
        RateLimit: answers[0]!.headers.has('ratelimit'),
      }
    },
    same: { statuses: [200, 200, 200, 429, 429], 'blocked for two minutes': true },
    differs: [{ row: 'answers have `RateLimit`', name: 'RateLimit', before: false, after: true }],
  },
  {
    peer: 'apicache',
    visit: async (app) => {
      const client = app.client()
      const first = await client('GET', '/catalogue')
      const second = await client('GET', '/catalogue')
      const etag = second.headers.get('etag')!
      const conditional = await client('GET', '/catalogue', { 'if-none-match': etag })
      await client('POST', '/catalogue')
      const third = await client('GET', '/catalogue')
      const head = await client('HEAD', '/catalogue')
      return {
        loads: [first, second, third].map(({ body }) => body.loads),
        'If-None-Match': conditional.status,
        HEAD: head.status,
        Age: second.headers.has('age'),
      }
    },
    same: { loads: [1, 1, 2], 'If-None-Match': 304, HEAD: 200 },
    differs: [{ row: 'a hit has an `Age`', name: 'Age', before: false, after: true }],
  },
  {
    peer: 'cache-manager',
    visit: async (app) => {
      const client = app.client()
      const atOnce = await Promise.all(Array.from({ length: 5 }, () => client('GET', '/profiles/7')))
      await client('POST', '/profiles/7')
      const after = await client('GET', '/profiles/7')
      return {
        'asked at once': new Set(atOnce.map(({ body }) => body.loads)).size,
        'loaded anew after it was deleted': after.body.loads - atOnce[0]!.body.loads,
        id: after.body.id,
      }
    },
    same: { 'asked at once': 1, 'loaded anew after it was deleted': 1, id: '7' },
    differs: [],
  },
  {
    peer: 'pino-http',
    visit: async (app) => {
      const client = app.client()
      await client('GET', '/orders/7')
      const [own, request, ...more] = linesOf(await app.written())
      await client('GET', '/broken')
      const failed = linesOf(await app.written()).at(-1)
      return {
        own: [own.msg, own.order],
        more: more.length,
        'one id': (own.req?.id ?? own.request_id) === (request.req?.id ?? request.request_id),
        status: request.res?.statusCode ?? request['http.response.status_code'],
        level: request.level,
        route: request['http.route'],
        why: failed.err?.message,
      }
    },
    same: { own: ['looking it up', '7'], more: 0, 'one id': true, status: 200 },
    differs: [
      { row: 'the level of a line', name: 'level', before: 30, after: 'info' },
      { row: 'the route', name: 'route', before: undefined, after: '/orders/:id' },
      {
        row: 'why a request failed',
        name: 'why',
        before: 'failed with status code 500',
        after: 'the database is away',
      },
    ],
  },
  {
    peer: 'morgan',
    visit: async (app) => {
      await app.client()('GET', '/orders/7?token=secret', { 'user-agent': 'test', referer: 'http://from/' })
      const line = await app.written()
      const wanted = ['GET', '/orders/7', '200', 'test', 'http://from/', '127.0.0.1']
      return {
        lines: line.trim().split('\n').length,
        missing: wanted.filter((part) => !line.includes(part)),
        JSON: line.startsWith('{'),
        query: line.includes('token=secret'),
      }
    },
    same: { lines: 1, missing: [] },
    differs: [
      { row: 'a line is JSON', name: 'JSON', before: false, after: true },
      { row: 'the query string is written', name: 'query', before: true, after: false },
    ],
  },
  {
    peer: 'express-prom-bundle',
    visit: async (app) => {
      const client = app.client()
      for (const id of [7, 8]) await client('GET', `/orders/${id}`)
      await client('GET', '/nowhere')
      const { text } = await client('GET', '/metrics')
      const counted = [...text.matchAll(/^http_request_duration_seconds_count\{(.*)\} (\d+)/gm)]
      return {
        histogram: /^# TYPE http_request_duration_seconds histogram$/m.test(text),
        orders: counted
          .filter(([, labels]) => labels!.includes('/orders'))
          .map(([, labels, count]) => `${labels!.split(',').toSorted().join(' ')} ${count}`),
        nowhere: text.includes('path="/nowhere"'),
      }
    },
    same: { histogram: true, orders: ['method="GET" path="/orders/#val" status_code="200" 2'] },
    differs: [{ row: 'a path that no route has is a series', name: 'nowhere', before: true, after: false }],
  },
  {
    peer: 'express-jwt',
    visit: async (app) => {
      const client = app.client()
      const good = await client('GET', '/me', await bearer({ sub: 'ann' }))
      const forged = await client('GET', '/me', await bearer({ sub: 'ann' }, `${secrets.JWT_SECRET}!`))
      const other = await client('GET', '/me', await bearer({ sub: 'ann', aud: 'https://other.example' }))
      const none = await client('GET', '/me')
      return {
        me: good.body,
        statuses: [good, forged, other, none].map(({ status }) => status),
        challenges: [forged, none].map(({ headers }) => headers.get('www-authenticate')),
        told: other.body.message ?? other.body.title,
      }
    },
    same: { me: { user: 'ann' }, statuses: [200, 401, 401, 401] },
    differs: [
      {
        row: '`WWW-Authenticate` of a forged token, and of none',
        name: 'challenges',
        before: [null, null],
        after: [`Bearer ${FORGED}`, 'Bearer'],
      },
      {
        row: 'what a client is told',
        name: 'told',
        before: 'jwt audience invalid. expected: https://api.example',
        after: 'Unauthorized',
      },
    ],
  },
  {
    peer: 'passport-jwt',
    visit: async (app) => {
      const client = app.client()
      const good = await client('GET', '/me', await bearer({ sub: 'ann' }))
      const gone = await client('GET', '/me', await bearer({ sub: 'bob' }))
      const forged = await client('GET', '/me', await bearer({ sub: 'ann' }, `${secrets.JWT_SECRET}!`))
      return {
        me: good.body,
        statuses: [good, gone, forged].map(({ status }) => status),
        body: forged.body?.title ?? forged.text,
        challenge: forged.headers.get('www-authenticate'),
      }
    },
    same: { me: { name: 'Ann' }, statuses: [200, 401, 401], body: 'Unauthorized' },
    differs: [
      {
        row: '`WWW-Authenticate` of a 401',
        name: 'challenge',
        before: null,
        after: `Bearer ${FORGED}`,
      },
    ],
  },
  {
    peer: 'celebrate',
    visit: async (app) => {
      const client = app.client()
      const post = (body: unknown) => client('POST', '/users', {}, body)
      const good = await post({ name: 'Ann', age: '7' })
      const less = await post({ name: 'Ann' })
      const wrong = await post({ name: 'A', age: 'old' })
      const more = await post({ name: 'Ann', admin: true })
      const { errors, validation } = wrong.body
      return {
        good: [good.status, good.body],
        less: less.body,
        statuses: [wrong, more].map(({ status }) => status),
        told: errors?.map(({ pointer }: { pointer: string }) => pointer) ?? validation.body.keys,
      }
    },
    same: { good: [201, { name: 'Ann', age: 7 }], less: { name: 'Ann', age: 18 }, statuses: [400, 400] },
    differs: [{ row: 'what is said to be wrong', name: 'told', before: ['name'], after: ['#/name'] }],
  },
  {
    peer: 'express-validator',
    visit: async (app) => {
      const client = app.client()
      const post = (body: unknown) => client('POST', '/users', {}, body)
      const good = await post({ email: 'Ann@Example.COM', age: '7', admin: true })
      const wrong = await post({ email: 'secret-password', age: -1 })
      const { errors } = wrong.body as { errors: { pointer?: string; path?: string }[] }
      return {
        good: [good.status, good.body],
        wrong: wrong.status,
        told: errors.map(({ pointer, path }) => pointer ?? path),
        repeats: wrong.text.includes('secret-password'),
      }
    },
    same: { good: [201, { email: 'ann@example.com', age: 7 }], wrong: 400 },
    differs: [
      {
        row: 'what is said to be wrong',
        name: 'told',
        before: ['email', 'age'],
        after: ['#/email', '#/age'],
      },
      { row: 'an answer repeats what was sent', name: 'repeats', before: true, after: false },
    ],
  },
]
