import { expect, it } from 'vitest'
import { problemOf } from '../../../src/problem/problem.js'

const whole = { date: 'x', 'content-type': 'application/json', 'www-authenticate': 'Bearer' }

/** Beside what the real clients of whose-fault.test.ts throw. */
it.each<[name: string, properties: object, status: number]>([
  ['aws-sdk', { $fault: 'client', $metadata: { httpStatusCode: 403 } }, 502],
  ['aws-sdk, busy', { $metadata: { httpStatusCode: 400 }, $retryable: { throttling: true } }, 503],
  ['a redirect', { response: { statusCode: 302, headers: {} } }, 502],
  ['its 408', { status: 408, headers: whole }, 504],
  ['fetch', { cause: { code: 'UND_ERR_HEADERS_TIMEOUT' } }, 504],
  ['twilio', { status: 401, code: 20_003, moreInfo: 'https://www.twilio.com/docs/errors/20003' }, 502],
  ['supabase', { status: 400, code: 'invalid_credentials', __isAuthError: true }, 502],
  ['@slack/web-api, @notionhq/client', { statusCode: 401, body: '', headers: whole }, 502],
  ['a Headers', { status: 401, headers: new Headers() }, 502],
  ['axios, without what it asked', { status: 401, isAxiosError: true }, 502],
  [
    'a body that is too large, of a server that was asked',
    { status: 413, statusCode: 413, expose: true, type: 'entity.too.large', headers: whole },
    502,
  ],
  ['undici without headers', { statusCode: 401, code: 'UND_ERR_RESPONSE' }, 502],
])('takes the shape of %s for that of another server', (_name, properties, status) => {
  const problem = problemOf(Object.assign(new Error('x'), properties))
  expect(problem).toMatchObject({ status, code: 'ERR_SCALE_UPSTREAM', headers: undefined })
})

it.each([
  ['its body, parsed', { type: 'about:blank', title: 'Unauthorized', status: 401 }],
  ['its Response', new Response('x', { status: 401 })],
])('takes what it answered, thrown as it is, for that of another server: %s', (_name, thrown) => {
  expect(problemOf(thrown)).toMatchObject({ status: 502, upstreamStatus: 401, headers: undefined })
})

it.each([
  ['7', 7],
  ['0.2', 1],
  ['86400', 3_600],
  ['-1', undefined],
  ['soon', undefined],
  ['Fri, 31 Dec 2027 23:59:59 GMT', undefined],
  [7, undefined],
])('asks for patience as that server did: %j is %j', (given, wanted) => {
  const headers = { ...whole, 'Retry-After': given }
  for (const thrown of [{ headers }, { response: { headers } }, { $response: { headers } }]) {
    const made = problemOf(Object.assign(new Error('x'), { status: 503 }, thrown)).headers
    expect(made).toEqual(wanted === undefined ? undefined : { 'Retry-After': wanted })
  }
})

it('says when to ask again only for a server that is busy, not for one that is broken', () => {
  const headers = { ...whole, 'Retry-After': '7' }
  const made = problemOf(Object.assign(new Error('x'), { status: 500, headers }))
  expect(made).toMatchObject({ status: 502, headers: undefined })
})
