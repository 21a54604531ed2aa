import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler, type Express } from 'express'
import express4 from 'express4'

/** The two major versions of Express that are supported. */
export const expressVersions: [name: string, make: () => Express][] = [
  ['Express 5', () => express()],
  ['Express 4', () => express4() as unknown as Express],
]

/** An answer, read to its end. */
export interface Answer {
  status: number
  headers: Headers
  body: unknown
}

/** An app that listens on a free port. */
export interface RunningApp {
  readonly url: string
  /** Sends a request; `body` goes as JSON. */
  send(method: string, path: string, headers?: Record<string, string>, body?: unknown): Promise<Answer>
  close(): Promise<void>
}

/** Answers errors by their shape, as `@scale/errors` does. */
export const errorHandler: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent) return next(error)
  res
    .status(error.status ?? 500)
    .set(error.headers ?? {})
    .json({ code: error.code, message: error.message, ...error.extensions })
}

export async function listen(app: Express): Promise<RunningApp> {
  app.use(errorHandler)
  const server: Server = createServer(app)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    send: async (method, path, headers = {}, body) => {
      const response = await fetch(url + path, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'manual',
      })
      const text = await response.text()
      return {
        status: response.status,
        headers: response.headers,
        body: parsed(text),
      }
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
