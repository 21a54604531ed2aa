import type { RequestHandler } from 'express'

/** What stands before the handler, each in a process of its own. */
export const variants: Record<string, () => Promise<RequestHandler>> = {
  bare: async () => (_req, _res, next) => next(),
  'requestLogger()': async () => {
    const { createLogger, requestLogger } = await import('../src/index.js')
    return requestLogger({ logger: createLogger({ service: 'bench', version: '1.0.0' }) })
  },
  'requestLogger() and one line by log() in the handler': async () => {
    const { createLogger, log, requestLogger } = await import('../src/index.js')
    const middleware = requestLogger({ logger: createLogger({ service: 'bench', version: '1.0.0' }) })
    return (req, res, next) =>
      middleware(req, res, (error) => {
        log().info({ item: req.url }, 'found')
        next(error)
      })
  },
  'requestLogger({ sampleRatio: 0.01 })': async () => {
    const { createLogger, requestLogger } = await import('../src/index.js')
    return requestLogger({
      logger: createLogger({ service: 'bench', version: '1.0.0' }),
      sampleRatio: 0.01,
    })
  },
  'AsyncLocalStorage.run alone': async () => {
    const { AsyncLocalStorage } = await import('node:async_hooks')
    const storage = new AsyncLocalStorage<object>()
    return (_req, _res, next) => storage.run({}, next)
  },
  'pino-http': async () => {
    const { pinoHttp } = await import('pino-http')
    return pinoHttp()
  },
  'pino-http, its destination asynchronous': async () => {
    const [{ pinoHttp }, { destination, pino }] = await Promise.all([import('pino-http'), import('pino')])
    return pinoHttp({ logger: pino(destination({ sync: false, minLength: 4_096 })) })
  },
}
