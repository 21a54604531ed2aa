import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Anthropic from '@anthropic-ai/sdk'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { request as octokit } from '@octokit/request'
import axios from 'axios'
import { Gaxios } from 'gaxios'
import got from 'got'
import ky from 'ky'
import nodeFetch from 'node-fetch'
import OpenAI from 'openai'
import Stripe from 'stripe'
import superagent from 'superagent'
import { Agent, interceptors, request as undici } from 'undici'
import { afterAll, beforeAll } from 'vitest'

/** What the other server sends, and is no business of our client's. */
export const PRIVATE = {
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
  const retryAfter = status === 429 && { 'retry-after': '7' }
  res.writeHead(status, { 'content-type': 'application/json', ...PRIVATE, ...retryAfter })
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

function urlOf(status: number): string {
  return `http://127.0.0.1:${port}/${status}/`
}

/** An HTTP client or SDK: rejects as it does when that server answers with `status`, or not within `timeout` ms. */
export interface HttpClient {
  name: string
  call(status: number, timeout: number): Promise<unknown>
  /** What a client of ours sees when that server is silent. Default 504 */
  timeoutStatus?: number
}

const settings = { apiKey: 'hunter2', maxRetries: 0 }

export const httpClients: HttpClient[] = [
  { name: 'axios', call: (status, timeout) => axios.get(urlOf(status), { timeout }) },
  {
    name: 'got',
    call: (status, timeout) => got(urlOf(status), { retry: { limit: 0 }, timeout: { request: timeout } }),
  },
  { name: 'ky', call: (status, timeout) => ky(urlOf(status), { retry: 0, timeout }) },
  {
    name: 'undici',
    call: (status, timeout) =>
      undici(urlOf(status), {
        headersTimeout: timeout,
        dispatcher: new Agent().compose(interceptors.responseError()),
      }),
  },
  {
    // As its README throws; the signal's reason is not kept.
    name: 'node-fetch',
    timeoutStatus: 503,
    async call(status, timeout) {
      const response = await nodeFetch(urlOf(status), { signal: AbortSignal.timeout(timeout) })
      throw Object.assign(new Error('HTTP Error Response'), { response })
    },
  },
  { name: 'superagent', call: (status, timeout) => superagent.get(urlOf(status)).timeout(timeout) },
  {
    // It keeps the signal's error, and not its reason.
    name: 'gaxios',
    timeoutStatus: 503,
    call: (status, timeout) => new Gaxios().request({ url: urlOf(status), timeout, retry: false }),
  },
  {
    name: '@octokit/request',
    // It gives a status of its own, 500, to a request without an answer.
    call: (status, timeout) =>
      octokit('GET /', { baseUrl: urlOf(status), request: { signal: AbortSignal.timeout(timeout) } }),
  },
  {
    name: 'openai',
    call: (status, timeout) => new OpenAI({ ...settings, baseURL: urlOf(status), timeout }).models.list(),
  },
  {
    name: '@anthropic-ai/sdk',
    call: (status, timeout) => new Anthropic({ ...settings, baseURL: urlOf(status), timeout }).models.list(),
  },
  {
    name: 'stripe',
    // It takes no path of its own: the server answers by the path of the call.
    call: (status, timeout) =>
      new Stripe('hunter2', { host: '127.0.0.1', port, protocol: 'http', maxNetworkRetries: 0, timeout }) //
        .rawRequest('GET', `/${status}`),
  },
  {
    name: '@aws-sdk/client-sts',
    call: (status, timeout) =>
      new STSClient({
        endpoint: urlOf(status),
        region: 'us-east-1',
        maxAttempts: 1,
        credentials: { accessKeyId: 'hunter2', secretAccessKey: 'hunter2' },
        requestHandler: { requestTimeout: timeout, throwOnRequestTimeout: true },
      }).send(new GetCallerIdentityCommand({})),
  },
]
