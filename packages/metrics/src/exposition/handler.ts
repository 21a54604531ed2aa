import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { MetricConflict, MetricsInWorker } from '../errors.js'
import { fleetOf } from '../fleet/fleet.js'
import { type MetricsHandlerOptions, resolveMetricsHandlerOptions } from '../options.js'
import { negotiate, textOf } from './format.js'

const compress = promisify(gzip)

/** Answers a request by itself: for the admin server, `http.createServer` or an Express route. */
export type PlainHandler = (req: IncomingMessage, res: ServerResponse) => Promise<void>

/**
 * Serves the metrics of all workers, or of the only process: Prometheus text or OpenMetrics, as the client asks, and
 * compressed if it can read that.
 *
 * Keep it off the public port: who reads it learns your routes.
 *
 * @throws {InvalidOption}
 */
export function metricsHandler(options?: MetricsHandlerOptions): PlainHandler {
  const { register, deadlineMs } = resolveMetricsHandlerOptions(options)
  const fleet = fleetOf({ register })

  return async function metrics(req, res) {
    if (!isRead(req, res)) return
    await orSay(res, async () => {
      const { families } = await fleet.gather(deadlineMs)
      const contentType = negotiate(req.headers.accept)
      await answer(req, res, contentType, await textOf(families, contentType))
    })
  }
}

/** Answers with the sentence of an error of set-up, which whoever reads metrics can act on. */
export async function orSay(res: ServerResponse, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof MetricsInWorker || error instanceof MetricConflict)) throw error
    res.writeHead(error.status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${error.message}\n`)
  }
}

/** Only GET and HEAD; else it answers. */
export function isRead({ method }: IncomingMessage, res: ServerResponse): boolean {
  if (method === 'GET' || method === 'HEAD') return true
  res.writeHead(405, { allow: 'GET, HEAD' }).end()
  return false
}

/** Sends text that nobody may keep, compressed where the client can read it. */
export async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  contentType: string,
  text: string,
  headers: Record<string, string> = {},
): Promise<void> {
  const isCompressed = acceptsGzip(req.headers['accept-encoding'])
  const body = isCompressed ? await compress(text) : Buffer.from(text)
  res.writeHead(200, {
    'content-type': contentType,
    'content-length': body.length,
    'cache-control': 'no-store',
    vary: 'Accept, Accept-Encoding',
    'x-content-type-options': 'nosniff',
    ...(isCompressed ? { 'content-encoding': 'gzip' } : {}),
    ...headers,
  })
  res.end(req.method === 'HEAD' ? undefined : body)
}

function acceptsGzip(accepted: string | string[] | undefined): boolean {
  return String(accepted ?? '')
    .split(',')
    .some((coding) => /^\s*gzip\s*(?:$|;(?!\s*q\s*=\s*0(?:\.0*)?\s*$))/i.test(coding))
}
