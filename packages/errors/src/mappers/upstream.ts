import type { Mapped } from '../problem.js'
import { entriesOf, property, textProperty } from '../property.js'
import { isErrorStatus } from '../status.js'

const CODE = 'ERR_SCALE_UPSTREAM'
const MAX_RETRY_AFTER_SECONDS = 3_600

/**
 * Whatever has a status and was not made by this app: an error of axios, got, ky, undici, superagent, stripe, openai,
 * anthropic, octokit, gaxios, aws-sdk and those that are not written yet. Its status and headers are another server's:
 * sent on as ours, its 401 would log our client out.
 *
 * 503 if that server is busy, 504 if it took too long, else 502.
 */
export function mapUpstream(thrown: unknown): Mapped | undefined {
  const upstreamStatus = statusOf(thrown)
  if (upstreamStatus === undefined) return timedOut(thrown) ? { status: 504, code: CODE } : undefined
  if (upstreamStatus === 408 || upstreamStatus === 504) return { status: 504, code: CODE, upstreamStatus }
  if (upstreamStatus === 429 || upstreamStatus === 503 || isThrottled(thrown)) {
    return { status: 503, code: CODE, upstreamStatus, headers: retryAfterOf(thrown) }
  }
  return { status: 502, code: CODE, upstreamStatus }
}

/** Also one that is no failure, where a whole answer is there: got and axios fail on redirects as well. */
function statusOf(thrown: unknown): number | undefined {
  const response = property(thrown, 'response')
  const answered = [property(response, 'status'), property(response, 'statusCode')].find(Number.isInteger)
  if (answered !== undefined && typeof property(response, 'headers') === 'object') return answered as number
  return [
    property(thrown, 'status'),
    property(thrown, 'statusCode'),
    property(property(thrown, '$metadata'), 'httpStatusCode'),
  ].find(isErrorStatus)
}

/** aws-sdk: services that say with a 400 that they are busy. */
function isThrottled(thrown: unknown): boolean {
  return property(property(thrown, '$retryable'), 'throttling') === true
}

/** `fetch` has the true error in `cause`, stripe in `detail`. */
function timedOut(thrown: unknown): boolean {
  return [thrown, property(thrown, 'cause'), property(thrown, 'detail')].some(isTimeout)
}

/** Of the socket (`ETIMEDOUT`), of undici and so of `fetch`, of axios, and of the clients that openai and anthropic generate. */
function isTimeout(thrown: unknown): boolean {
  const code = textProperty(thrown, 'code') ?? ''
  return (
    /^(?:E(?:SOCKET)?TIMEDOUT|UND_ERR_(?:HEADERS|BODY|CONNECT)_TIMEOUT)$/.test(code) ||
    (code === 'ECONNABORTED' && property(thrown, 'isAxiosError') === true) ||
    textProperty(property(thrown, 'constructor'), 'name') === 'APIConnectionTimeoutError'
  )
}

/** How long that server asks to be left alone, in whole seconds, at most an hour. A date is not taken: its clock is not ours. */
function retryAfterOf(thrown: unknown): Readonly<Record<string, number>> | undefined {
  for (const owner of [thrown, property(thrown, 'response'), property(thrown, '$response')]) {
    const text = header(property(owner, 'headers'), 'retry-after')
    const seconds = Math.ceil(Number(text))
    if (text && seconds > 0) return { 'Retry-After': Math.min(seconds, MAX_RETRY_AFTER_SECONDS) }
  }
  return undefined
}

/** Of a `Headers` of any client, or of a plain object. */
function header(headers: unknown, wanted: string): string | undefined {
  if (typeof property(headers, 'get') === 'function') {
    try {
      const value = (headers as { get(name: string): unknown }).get(wanted)
      return typeof value === 'string' ? value : undefined
    } catch {
      return undefined
    }
  }
  const [, value] = entriesOf(headers).find(([name]) => name.toLowerCase() === wanted) ?? []
  return typeof value === 'string' ? value : undefined
}
