import type { AddressInfo } from 'node:net'
import type { RequestHandler } from 'express'
import express from 'express'
import express4 from 'express4'

export const expresses: readonly (readonly [name: string, make: typeof express])[] = [
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
]

/** A running app, and how to ask it. */
export interface RunningApp {
  get(path?: string, headers?: Record<string, string>): Promise<Response>
  close(): Promise<void>
}

/** Answers `{ ok: true }` behind the given middleware; errors as their `status`, `code` and members. */
export async function runApp(
  make: typeof express,
  middleware: RequestHandler[],
  handler: RequestHandler = (_req, res) => {
    res.json({ ok: true })
  },
): Promise<RunningApp> {
  const app = make()
  app.set('trust proxy', 1)
  app.use(...middleware, handler)
  const answerError: express.ErrorRequestHandler = (error, _req, res, _next) => {
    res
      .status(error.status ?? 500)
      .set(error.headers ?? {})
      .json({ code: error.code, type: error.type, message: error.message, ...error.extensions })
  }
  app.use(answerError)
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return {
    get: (path = '/', headers = {}) => fetch(`http://127.0.0.1:${port}${path}`, { headers }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
