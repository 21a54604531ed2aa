import { request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express5, { type ErrorRequestHandler, type Express } from 'express'
import express4 from 'express4'
import { afterEach } from 'vitest'

/** The API of both majors, as far as the tests use it, is the same. */
export const majors: readonly (readonly [name: string, express: typeof express5])[] = [
  ['Express 5', express5],
  ['Express 4', express4 as unknown as typeof express5],
]

/** Answers with what an error of ours shows of itself; the words of others, such as body-parser, stay inside. */
export const showError: ErrorRequestHandler = (error, _req, res, _next) => {
  const status = typeof error.status === 'number' ? error.status : 500
  res.status(status).set(error.headers ?? {})
  const isOurs = String(error.code).startsWith('ERR_SCALE_')
  res.json(isOurs ? { status, code: error.code, detail: error.message, ...error.extensions } : { status })
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of many shapes
  json: any
}

export interface Sent {
  method?: string
  headers?: Record<string, string>
  /** An object is sent as JSON with its type; a string as it is. */
  body?: unknown
}

const servers: Server[] = []

afterEach(async () => {
  await Promise.all(servers.splice(0).map(close))
})

export function close(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}

/** Serves the app on a real socket until the test ends. @returns a client for it */
export async function serve(app: Express): Promise<(path: string, sent?: Sent) => Promise<Answer>> {
  const server = app.listen(0, '127.0.0.1')
  servers.push(server)
  return clientOf(await portOf(server))
}

export async function portOf(server: Server): Promise<number> {
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
  return (server.address() as AddressInfo).port
}

/** A client that sends the path and the headers byte by byte as given. */
export function clientOf(port: number): (path: string, sent?: Sent) => Promise<Answer> {
  return (path, sent = {}) =>
    new Promise((resolve, reject) => {
      const isRaw = typeof sent.body === 'string' || sent.body === undefined
      const body = isRaw ? (sent.body as string | undefined) : JSON.stringify(sent.body)
      const headers = { ...(isRaw ? {} : { 'content-type': 'application/json' }), ...sent.headers }
      const method = sent.method ?? (body === undefined ? 'GET' : 'POST')
      const req = httpRequest({ host: '127.0.0.1', port, path, method, headers }, (res) => {
        let text = ''
        res.setEncoding('utf8')
        res.on('data', (chunk) => {
          text += chunk
        })
        res.on('end', () => {
          const isJson = res.headers['content-type']?.includes('json')
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            text,
            json: isJson && text !== '' ? JSON.parse(text) : undefined,
          })
        })
        res.on('error', reject)
      })
      req.setTimeout(10_000, () => req.destroy(new Error('no answer within 10 s')))
      req.on('error', reject)
      req.end(body)
    })
}
