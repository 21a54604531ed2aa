import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import express5 from 'express'
import express4 from 'express4'
import { type Cache, type CacheOptions, createCache, type HttpCacheOptions } from '../../src/index.js'

/** What came back. */
export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
  /** `Link` fields of interim responses. */
  hints: string[]
}

/** What an origin answers with. */
export interface Scripted {
  status?: number
  headers?: Record<string, string | string[]>
  body?: string
  /** Sent in an interim response (103) first. */
  hint?: string
  /** Half of the body, and then the connection is cut. */
  cut?: boolean
}

export type Handler = (req: IncomingMessage & { originalUrl?: string }, res: ServerResponse) => unknown

/** How the middleware stands: in front of a handler, or in front of a proxy to another server. */
export type Mount = 'express 5' | 'express 4' | 'proxy'
export const MOUNTS: readonly Mount[] = ['express 5', 'express 4', 'proxy']

export interface Site {
  url: string
  port: number
  cache: Cache
  /** Requests that the handler saw. */
  seen: { method: string; url: string; headers: IncomingHttpHeaders }[]
  get(path: string, headers?: Record<string, string | string[]>): Promise<Answer>
  send(
    method: string,
    path: string,
    headers?: Record<string, string | string[]>,
    body?: string,
  ): Promise<Answer>
  close(): Promise<void>
}

export async function listen(
  handler: (req: IncomingMessage, res: ServerResponse) => unknown,
): Promise<Server> {
  const server = createServer((req, res) => {
    handler(req, res)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

export function close(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}

/** One request on a connection of its own. */
export function send(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string | string[]> = {},
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const hints: string[] = []
    const req = request({ port, host: '127.0.0.1', method, path, headers, agent: false }, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk) => chunks.push(chunk))
      res.on('error', reject)
      res.on('end', () =>
        resolve({
          status: res.statusCode!,
          headers: res.headers,
          body: Buffer.concat(chunks).toString(),
          hints,
        }),
      )
    })
    req.on('information', ({ headers }) => hints.push(String(headers.link)))
    req.on('error', reject)
    req.end(body)
  })
}

/** Answers as scripted. */
export function answering(script: (req: IncomingMessage) => Scripted | Promise<Scripted>): Handler {
  return async (req, res) => {
    const { status = 200, headers = {}, body = 'body', cut = false, hint } = await script(req)
    if (hint !== undefined) res.writeEarlyHints({ link: hint })
    res.statusCode = status
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
    if (!cut) return res.end(body)
    res.setHeader('Content-Length', body.length)
    res.write(body.slice(0, body.length / 2), () => res.destroy())
  }
}

/** A proxy to another origin: what comes is passed on as it comes, and cut off where it is cut off. */
export function proxyTo(port: number): Handler {
  return (req, res) => {
    const { connection: _, ...headers } = req.headers
    const upstream = request({
      port,
      host: '127.0.0.1',
      method: req.method ?? 'GET',
      path: req.originalUrl ?? req.url ?? '/',
      headers: { ...headers, host: req.headers.host ?? '' },
      agent: false,
    })
    upstream.on('information', ({ statusCode, headers }) => {
      if (statusCode === 103) res.writeEarlyHints(headers as Record<string, string>)
    })
    upstream.on('response', (answer) => {
      res.statusCode = answer.statusCode!
      if (answer.statusMessage) res.statusMessage = answer.statusMessage
      const hops = `connection,keep-alive,transfer-encoding,${answer.headers.connection ?? ''}`
        .toLowerCase()
        .split(/\s*,\s*/)
      for (let i = 0; i < answer.rawHeaders.length; i += 2) {
        const name = answer.rawHeaders[i]!
        if (hops.includes(name.toLowerCase())) continue
        res.appendHeader(name, answer.rawHeaders[i + 1]!)
      }
      answer.pipe(res)
      answer.on('close', () => {
        if (!answer.complete) res.destroy()
      })
    })
    upstream.on('error', () => {
      if (res.headersSent) res.destroy()
      else {
        res.statusCode = 502
        res.end('bad gateway')
      }
    })
    req.pipe(upstream)
  }
}

/** A site of one process whose handler is behind `cache.http`. */
export async function site(
  mount: Mount,
  handler: Handler,
  options: HttpCacheOptions = {},
  cacheOptions: CacheOptions = {},
): Promise<Site> {
  const cache = createCache({ jitterRatio: 0, earlyRefresh: 0, ...cacheOptions })
  const seen: Site['seen'] = []
  const counted: Handler = (req, res) => {
    seen.push({ method: req.method!, url: req.originalUrl ?? req.url!, headers: { ...plain(req) } })
    return handler(req, res)
  }
  const app = (mount === 'express 4' ? express4() : express5()) as ReturnType<typeof express5>
  app.use(cache.http(mount === 'proxy' ? { unkeyed: 'trust', ...options } : options))
  const origin = mount === 'proxy' ? await listen(counted) : undefined
  app.use((origin === undefined ? counted : proxyTo(portOf(origin))) as never)
  const server = await listen(app as never)
  const port = portOf(server)
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    cache,
    seen,
    get: (path, headers) => send(port, 'GET', path, headers),
    send: (method, path, headers, body) => send(port, method, path, headers, body),
    close: async () => {
      await close(server)
      if (origin !== undefined) await close(origin)
      await cache.close()
    },
  }
}

/** Looked at past the watch on the request, which would count it as reading. */
function plain(req: IncomingMessage): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = {}
  for (const name of ['if-none-match', 'if-modified-since', 'range', 'if-range', 'host']) {
    const value = req.headers[name]
    if (value !== undefined) headers[name] = value
  }
  return headers
}

/** The one member of `Cache-Status` that a test looks at. */
export function cacheStatus(answer: Answer): string {
  return String(answer.headers['cache-status'])
}

export function isHit(answer: Answer): boolean {
  return /(?:^|, )scale; hit/.test(cacheStatus(answer))
}
