import { fileURLToPath } from 'node:url'
import { jwks } from '@scale/auth'
import { errorHandler, Forbidden, notFound } from '@scale/errors'
import { type AppLogger, requestLogger } from '@scale/logger'
import { httpMetrics } from '@scale/metrics'
import express, { type Express, type RequestHandler } from 'express'
import helmet from 'helmet'
import type { Config } from './config.js'
import type { Guards } from './guards.js'
import { routes, type Services } from './routes.js'

/** The whole app, without a server: tests mount it as they like. */
export function createApp(config: Config, services: Services, guards: Guards, logger: AppLogger): Express {
  const app = express()
  app.set('trust proxy', trustProxy(config.TRUST_PROXY))
  app.use(requestLogger({ logger }), httpMetrics())
  app.use(helmet())
  app.use(refuseCrossSite)
  app.use(express.static(fileURLToPath(new URL('page', import.meta.url)), { maxAge: '1h' }))
  app.get('/.well-known/jwks.json', jwks(services.tokens.keys))
  app.use('/v1', express.json({ limit: '100kb' }), routes(services, guards))
  app.use(notFound(), errorHandler())
  return app
}

/** A number of hops, or what Express takes as text; nothing is trusted by default. */
function trustProxy(value: string | undefined): boolean | number | string {
  if (value === undefined) return false
  return /^\d+$/.test(value) ? Number(value) : value
}

/** SameSite cookies stop most forged requests; this stops those from a sibling subdomain too (Fetch Metadata). */
const refuseCrossSite: RequestHandler = function refuseCrossSite(req, _res, next) {
  const site = req.headers['sec-fetch-site']
  const isSafe = req.method === 'GET' || req.method === 'HEAD' || req.method === 'OPTIONS'
  if (isSafe || site === undefined || site === 'same-origin' || site === 'none') next()
  else next(new Forbidden('Requests from other sites are refused.'))
}
