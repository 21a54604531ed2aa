import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Anthropic from '@anthropic-ai/sdk'
import axios from 'axios'
import got from 'got'
import createError from 'http-errors'
import ky from 'ky'
import OpenAI from 'openai'
import Stripe from 'stripe'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorHandler } from '../../src/index.js'
import { problemOf } from '../../src/problem.js'
import { expectProblem } from '../support/rfc9457.js'
import { type Answered, ask, failures, frameworks, listen } from '../support/server.js'

/** Headers and a body that are no business of our client's. */
const PRIVATE = {
  'content-type': 'application/json',
  'www-authenticate': 'Bearer realm="hunter2"',
  'access-control-allow-origin': '*',
  'x-hunter2': 'x',
  allow: 'hunter2',
  'set-cookie': 'hunter2=1',
}
const error = { error: { message: 'hunter2', type: 'invalid_request_error', code: 'hunter2' } }

/** Answers with the status that its path begins with; never, if that is 0. */
const upstream = createServer((req, res) => {
  const status = Number(req.url!.split('/')[1])
  req.resume()
  if (status === 0) return
  res.writeHead(status, { ...PRIVATE, ...(status === 429 && { 'retry-after': '7' }) })
  res.end(JSON.stringify(error))
})
let port: number
beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  port = (upstream.address() as AddressInfo).port
})
afterAll(() => {
  upstream.closeAllConnections()
  upstream.close()
})

const settings = { apiKey: 'hunter2', maxRetries: 0 }
const clients: [name: string, call: (status: number, timeout: number) => Promise<unknown>][] = [
  ['axios', (status, timeout) => axios.get(urlOf(status), { timeout })],
  ['got', (status, timeout) => got(urlOf(status), { retry: { limit: 0 }, timeout: { request: timeout } })],
  ['ky', (status, timeout) => ky(urlOf(status), { retry: 0, timeout })],
  ['openai', (status, timeout) => new OpenAI({ ...settings, baseURL: urlOf(status), timeout }).models.list()],
  [
    'anthropic',
    (status, timeout) => new Anthropic({ ...settings, baseURL: urlOf(status), timeout }).models.list(),
  ],
]

/** Stripe takes no path, so its server answers by the path of the call. */
const stripeCall = (status: number, timeout = 5_000): Promise<unknown> =>
  new Stripe('hunter2', {
    host: '127.0.0.1',
    port,
    protocol: 'http',
    maxNetworkRetries: 0,
    timeout,
  }).rawRequest('GET', `/${status}`)

const all: typeof clients = [...clients, ['stripe', stripeCall]]

function urlOf(status: number): string {
  return `http://127.0.0.1:${port}/${status}/`
}

describe.each(frameworks)('an error of a client of another server, under %s', (_, framework) => {
  async function calling(call: () => Promise<unknown>): Promise<Answered> {
    const app = framework()
    app.get('/', (_req, _res, next) => {
      call().then(() => next(), next)
    })
    app.use(errorHandler())
    return ask(await listen(app))
  }

  describe.each(all)('%s', (_name, call) => {
    it.each([
      [400, 502],
      [401, 502],
      [404, 502],
      [409, 502],
      [429, 503],
      [500, 502],
      [503, 503],
    ])('answers its %i with %i and none of its headers', async (upstreamStatus, status) => {
      const messages = failures()
      const answered = await calling(() => call(upstreamStatus, 5_000))
      expectProblem(answered)
      expect(answered.json).toMatchObject({ status, code: 'ERR_SCALE_UPSTREAM' })
      expect(answered.text).not.toContain('hunter2')
      for (const name of Object.keys(PRIVATE).slice(1)) expect(answered.headers).not.toHaveProperty(name)
      expect(answered.headers['retry-after']).toBe(upstreamStatus === 429 ? '7' : undefined)
      expect(messages).toMatchObject([{ status, upstreamStatus }])
    })

    it('answers its timeout with 504', async () => {
      const answered = await calling(() => call(0, 100))
      expect(answered.status).toBe(504)
      expect(answered.text).not.toContain('hunter2')
    })

    it('is not the client’s because createError of http-errors was called on it', async () => {
      const answered = await calling(() =>
        call(401, 5_000).catch((failed) => {
          throw createError(failed)
        }),
      )
      expect(answered.status).toBe(502)
      expect(answered.headers).not.toHaveProperty('www-authenticate')
    })
  })
})

it.each<[name: string, properties: object, status: number]>([
  [
    'undici',
    { statusCode: 401, code: 'UND_ERR_RESPONSE_STATUS_CODE', headers: { 'set-cookie': 'a=b' } },
    502,
  ],
  ['octokit', { name: 'HttpError', status: 403, request: {}, response: { status: 403, headers: {} } }, 502],
  ['gaxios', { status: 401, code: '401', config: {}, response: { status: 401, headers: {} } }, 502],
  ['superagent', { status: 404, response: { status: 404, headers: {} } }, 502],
  ['aws-sdk', { $fault: 'client', $metadata: { httpStatusCode: 403 } }, 502],
  ['aws-sdk, busy', { $metadata: { httpStatusCode: 400 }, $retryable: { throttling: true } }, 503],
  ['a redirect', { response: { statusCode: 302, headers: {} } }, 502],
  ['its 408', { status: 408 }, 504],
  ['its 504', { status: 504 }, 504],
  ['fetch', { cause: { code: 'UND_ERR_HEADERS_TIMEOUT' } }, 504],
])('takes the shape of %s for that of another server', (_name, properties, status) => {
  const problem = problemOf(Object.assign(new Error('x'), properties))
  expect(problem).toMatchObject({ status, code: 'ERR_SCALE_UPSTREAM', headers: undefined })
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
  const headers = { 'Retry-After': given, 'X-Evil': '1' }
  for (const thrown of [{ headers }, { response: { headers } }, { $response: { headers } }]) {
    const made = problemOf(Object.assign(new Error('x'), { status: 503 }, thrown)).headers
    expect(made).toEqual(wanted === undefined ? undefined : { 'Retry-After': wanted })
  }
})
