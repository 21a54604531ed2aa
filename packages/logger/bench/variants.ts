import type { RequestText, ServerVariant, Variants } from '@scale/devkit/bench'
import type { RequestHandler } from 'express'

/** A request as clients send it; what is secret in it must not be in the line. */
const request: RequestText = () =>
  [
    'GET /users/42 HTTP/1.1',
    'Host: api.example.org',
    'User-Agent: bench/1.0',
    'Accept: application/json',
    'Accept-Encoding: gzip',
    'Authorization: Bearer 4ae7c1d0f3b94f1f8a5d2c9b7e6f1a2b',
    '\r\n',
  ].join('\r\n')

/** An answer of 300 bytes of JSON behind a middleware. */
function server(make: () => Promise<RequestHandler>): ServerVariant {
  return {
    serve: async () => {
      const { default: express } = await import('express')
      const answer = { text: 'x'.repeat(289) }
      const app = express().disable('x-powered-by')
      app.use(await make())
      return app.get('/users/:id', (_req, res) => {
        res.json(answer)
      })
    },
    requests: () => request,
  }
}

const service = { service: 'bench', version: '1.0.0' }

export const variants: Variants<ServerVariant> = {
  bare: server(async () => (_req, _res, next) => next()),
  'requestLogger()': server(async () => {
    const { createLogger, requestLogger } = await import('@scale/logger')
    return requestLogger({ logger: createLogger(service) })
  }),
  'requestLogger() and one line by log() in the handler': server(async () => {
    const { createLogger, log, requestLogger } = await import('@scale/logger')
    const middleware = requestLogger({ logger: createLogger(service) })
    return (req, res, next) =>
      middleware(req, res, (error) => {
        log().info({ item: req.url }, 'found')
        next(error)
      })
  }),
  'requestLogger({ sampleRatio: 0.01 })': server(async () => {
    const { createLogger, requestLogger } = await import('@scale/logger')
    return requestLogger({ logger: createLogger(service), sampleRatio: 0.01 })
  }),
  'AsyncLocalStorage.run alone': server(async () => {
    const { AsyncLocalStorage } = await import('node:async_hooks')
    const storage = new AsyncLocalStorage<object>()
    return (_req, _res, next) => storage.run({}, next)
  }),
  'pino by hand: one line at the end, no context': server(async () => {
    const { destination, pino } = await import('pino')
    const logger = pino(destination({ sync: false, minLength: 4_096 }))
    return (req, res, next) => {
      const startedAt = performance.now()
      res.on('finish', () =>
        logger.info({
          method: req.method,
          url: req.url,
          status: res.statusCode,
          ms: performance.now() - startedAt,
        }),
      )
      next()
    }
  }),
  'pino-http': server(async () => {
    const { pinoHttp } = await import('pino-http')
    return pinoHttp()
  }),
  'pino-http, its destination asynchronous': server(async () => {
    const [{ pinoHttp }, { destination, pino }] = await Promise.all([import('pino-http'), import('pino')])
    return pinoHttp({ logger: pino(destination({ sync: false, minLength: 4_096 })) })
  }),
}
