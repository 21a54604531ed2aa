import { fileURLToPath } from 'node:url'
import { jwks } from '@scale/auth'
import { errorHandler, notFound } from '@scale/errors'
import { type AppLogger, requestLogger } from '@scale/logger'
import { httpMetrics } from '@scale/metrics'
import { admission, gradient } from '@scale/overload'
import express, { type Express } from 'express'
import helmet, { type HelmetOptions } from 'helmet'
import type { Config } from './config.js'
import type { Guards } from './guards.js'
import { routes, type Services } from './routes.js'
import { sameSite } from './same-site.js'

/** The whole app, without a server: tests mount it as they like. */
export function createApp(config: Config, services: Services, guards: Guards, logger: AppLogger): Express {
  const app = express()
  app.set('trust proxy', trustProxy(config.TRUST_PROXY))
  app.use(requestLogger({ logger }), httpMetrics())
  app.use(helmet(securityHeaders(config)))
  // What is more than this process can answer in time is refused at once. A process whose requests mostly wait takes many.
  app.use(admission({ limit: gradient({ initial: 100, min: 100 }) }))
  app.use(sameSite())
  app.use(express.static(fileURLToPath(new URL('../page', import.meta.url)), { maxAge: '1h' }))
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

/** What speaks of TLS is said where there is TLS: over http a browser would load neither script nor style. */
function securityHeaders({ NODE_ENV }: Config): HelmetOptions {
  const isSecure = NODE_ENV === 'production'
  return {
    strictTransportSecurity: isSecure,
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: isSecure ? [] : null } },
  }
}
