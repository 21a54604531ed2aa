import type { ServerVariant, Variants } from '@scale/devkit/bench'
import type { RequestHandler } from 'express'

/** An answer of 300 bytes of JSON behind middleware. */
function server(make: () => Promise<RequestHandler[]>): ServerVariant {
  return {
    serve: async () => {
      const { default: express } = await import('express')
      const answer = { text: 'x'.repeat(289) }
      const app = express().disable('x-powered-by')
      for (const middleware of await make()) app.use(middleware)
      return app.get('/users/:id', (_req, res) => {
        res.json(answer)
      })
    },
    requests: () => () => 'GET /users/42 HTTP/1.1\r\nHost: api.example.org\r\nUser-Agent: bench/1.0\r\n\r\n',
  }
}

async function logger(): Promise<RequestHandler> {
  const { createLogger, requestLogger } = await import('@scale/logger')
  return requestLogger({ logger: createLogger({ service: 'bench', version: '1.0.0' }) })
}

async function metrics(): Promise<RequestHandler> {
  const { httpMetrics, packageMetrics } = await import('@scale/metrics')
  packageMetrics()
  return httpMetrics()
}

async function bundle(): Promise<RequestHandler> {
  const { default: make } = await import('express-prom-bundle')
  return make({
    includeMethod: true,
    includePath: true,
    includeStatusCode: true,
  }) as unknown as RequestHandler
}

async function pinoHttp(): Promise<RequestHandler> {
  const [{ pinoHttp: make }, { destination, pino }] = await Promise.all([import('pino-http'), import('pino')])
  return make({ logger: pino(destination({ sync: false, minLength: 4_096 })) })
}

/** What a team writes that wants neither package: a line and a histogram at the end. */
async function byHand(): Promise<RequestHandler> {
  const [{ Histogram }, { destination, pino }] = await Promise.all([import('prom-client'), import('pino')])
  const lines = pino(destination({ sync: false, minLength: 4_096 }))
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Duration.',
    labelNames: ['method', 'route', 'status_code'],
  })
  return (req, res, next) => {
    const startedAt = performance.now()
    res.on('finish', () => {
      const tookMs = performance.now() - startedAt
      const route = `${req.baseUrl}${req.route?.path ?? ''}`
      lines.info({ method: req.method, route, url: req.url, status: res.statusCode, tookMs })
      duration.observe({ method: req.method, route, status_code: res.statusCode }, tookMs / 1_000)
    })
    next()
  }
}

export const variants: Variants<ServerVariant> = {
  bare: server(async () => []),
  'requestLogger() and httpMetrics() with packageMetrics()': server(async () => [
    await logger(),
    await metrics(),
  ]),
  'requestLogger() alone': server(async () => [await logger()]),
  'httpMetrics() with packageMetrics()': server(async () => [await metrics()]),
  'httpMetrics({ bodySizes: false })': server(async () => {
    const { httpMetrics } = await import('@scale/metrics')
    return [httpMetrics({ bodySizes: false })]
  }),
  "httpMetrics({ preset: 'legacy' })": server(async () => {
    const { httpMetrics } = await import('@scale/metrics')
    return [httpMetrics({ preset: 'legacy' })]
  }),
  'pino and prom-client by hand': server(async () => [await byHand()]),
  'pino-http and express-prom-bundle': server(async () => [await pinoHttp(), await bundle()]),
  'pino-http alone, its destination asynchronous': server(async () => [await pinoHttp()]),
  'express-prom-bundle alone, method and path': server(async () => [await bundle()]),
}
