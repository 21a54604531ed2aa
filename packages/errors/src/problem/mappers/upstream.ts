import { entriesOf, property, textProperty } from '../../property.js'
import type { Mapped } from '../mapped.js'
import { isErrorStatus } from '../status.js'
import { isOfHttpClient } from './http-client-marks.js'
import { statusOf } from './plain-error.js'

const CODE = 'ERR_SCALE_UPSTREAM'
const MAX_RETRY_AFTER_SECONDS = 3_600

/**
 * Whatever else has a status: an error of axios, got, ky, undici, superagent, stripe, openai,
 * anthropic, octokit, gaxios, aws-sdk and those that are not written yet. Its status and headers are another server's:
 * sent on as ours, its 401 would log our client out.
 *
 * 503 if that server is busy, 504 if it took too long, else 502.
 */
export function mapUpstream(thrown: unknown): Mapped | undefined {
  if (isSilent(thrown)) return { status: 504, code: CODE }
  const upstreamStatus = answeredStatusOf(thrown)
  if (upstreamStatus === undefined) return isAborted(thrown) ? { status: 503, code: CODE } : undefined
  const status = statusFor(upstreamStatus, thrown)
  return { status, code: CODE, upstreamStatus, headers: status === 503 ? retryAfterOf(thrown) : undefined }
}

function statusFor(upstreamStatus: number, thrown: unknown): number {
  if (upstreamStatus === 408 || upstreamStatus === 504) return 504
  return upstreamStatus === 429 || upstreamStatus === 503 || isThrottled(thrown) ? 503 : 502
}

/** Also one that is no failure, where a whole answer is there: got and axios fail on redirects as well. */
function answeredStatusOf(thrown: unknown): number | undefined {
  const response = property(thrown, 'response')
  const answered = [property(response, 'status'), property(response, 'statusCode')].find(Number.isInteger)
  if (answered !== undefined && typeof property(response, 'headers') === 'object') return answered as number
  const ofSdk = property(property(thrown, '$metadata'), 'httpStatusCode')
  return statusOf(thrown) ?? (isErrorStatus(ofSdk) ? ofSdk : undefined)
}

/** aws-sdk: services that say with a 400 that they are busy. */
function isThrottled(thrown: unknown): boolean {
  return property(property(thrown, '$retryable'), 'throttling') === true
}

/** No answer came in time. `fetch` has the true error in `cause`, stripe in `detail`. */
function isSilent(thrown: unknown): boolean {
  return [thrown, property(thrown, 'cause'), property(thrown, 'detail')].some(isTimeout)
}

/**
 * Of the socket (`ETIMEDOUT`), of undici and so of `fetch`, of a signal, of axios, of superagent (its `errno`), and of the
 * clients that openai and anthropic generate.
 */
function isTimeout(thrown: unknown): boolean {
  const code = textProperty(thrown, 'code') ?? ''
  return (
    /^(?:E(?:SOCKET)?TIMEDOUT|UND_ERR_(?:HEADERS|BODY|CONNECT)_TIMEOUT)$/.test(code) ||
    (code === 'ECONNABORTED' && property(thrown, 'isAxiosError') === true) ||
    /^ETIME(?:DOUT)?$/.test(textProperty(thrown, 'errno') ?? '') ||
    textProperty(thrown, 'name') === 'TimeoutError' ||
    textProperty(property(thrown, 'constructor'), 'name') === 'APIConnectionTimeoutError'
  )
}

/** gaxios: what a signal throws is its `cause`, and does not tell of a timeout. */
function isAborted(thrown: unknown): boolean {
  return isOfHttpClient(thrown) && property(property(thrown, 'cause'), 'name') === 'AbortError'
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
