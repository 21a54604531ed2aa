import type { RequestHandler } from 'express'

/** What stands before the handler; each is loaded in a process of its own. */
export const variants: Record<string, () => Promise<RequestHandler>> = {
  bare: async () => (_req, _res, next) => next(),
  // Express adds many properties to each request, which V8 does sooner on an object that has an accessor: what metrics cost
  // is the difference to this row, what an app pays is the row itself.
  'bare, with an accessor on the request': async () => {
    const { watchMounts } = await import('../src/http/route-template.js')
    return (req, _res, next) => {
      watchMounts(req)
      next()
    }
  },
  'httpMetrics()': async () => {
    const { httpMetrics } = await import('../src/index.js')
    return httpMetrics()
  },
  'httpMetrics() and packageMetrics()': async () => {
    const { httpMetrics, packageMetrics } = await import('../src/index.js')
    packageMetrics()
    return httpMetrics()
  },
  'httpMetrics({ bodySizes: false })': async () => {
    const { httpMetrics } = await import('../src/index.js')
    return httpMetrics({ bodySizes: false })
  },
  "httpMetrics({ preset: 'legacy' })": async () => {
    const { httpMetrics } = await import('../src/index.js')
    return httpMetrics({ preset: 'legacy' })
  },
  'prom-client by hand, duration only': async () => {
    const { Histogram } = await import('prom-client')
    const duration = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Duration.',
      labelNames: ['method', 'route', 'status_code'],
    })
    return (req, res, next) => {
      const end = duration.startTimer()
      res.on('finish', () => {
        end({
          method: req.method,
          route: `${req.baseUrl}${req.route?.path ?? ''}`,
          status_code: res.statusCode,
        })
      })
      next()
    }
  },
  'express-prom-bundle, method and path': async () => {
    const { default: bundle } = await import('express-prom-bundle')
    return bundle({
      includeMethod: true,
      includePath: true,
      includeStatusCode: true,
    }) as unknown as RequestHandler
  },
}
