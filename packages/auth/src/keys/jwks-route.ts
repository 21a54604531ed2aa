import type { IncomingMessage, ServerResponse } from 'node:http'
import { durationMs, type Next, type OptionChecks, resolveOptions } from '@scale/core'
import type { SigningKeys } from './signing.js'

/** What `jwks` takes beside the keys. */
export interface JwksOptions {
  /** How long clients and proxies may keep the answer, in ms, whole seconds. Default 300,000 (5 min) */
  maxAgeMs?: number
}

/** The defaults of {@link JwksOptions}. */
export const jwksDefaults: Readonly<Required<JwksOptions>> = Object.freeze({ maxAgeMs: 300_000 })

const checks: OptionChecks<JwksOptions> = { maxAgeMs: durationMs(0, 86_400_000) }

/** Answers with the public keys, for `GET /.well-known/jwks.json`. There is nothing secret in it. */
export function jwks(
  keys: Pick<SigningKeys, 'jwks'>,
  options?: JwksOptions,
): (req: IncomingMessage, res: ServerResponse, next: Next) => void {
  const { maxAgeMs } = resolveOptions('jwks', options, { checks, defaults: jwksDefaults })
  const cacheControl = `public, max-age=${Math.floor(maxAgeMs / 1_000)}`
  return function jwks(_req, res) {
    res.setHeader('Content-Type', 'application/jwk-set+json')
    res.setHeader('Cache-Control', cacheControl)
    res.end(JSON.stringify(keys.jwks()))
  }
}
