import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  arrayOf,
  boolean,
  durationMs,
  type Next,
  type OptionCheck,
  type OptionChecks,
  resolveOptions,
  string,
} from '@scale/core'
import { scopeToken } from './challenge.js'

/** What `protectedResource` takes. */
export interface ProtectedResourceOptions {
  /** The name of this API: its address, and the `audience` of its tokens. */
  resource: string
  /** The authorization servers whose tokens are accepted: their `issuer`s. */
  authorizationServers: readonly string[]
  /** Scopes that clients may ask for. Default: none is named */
  scopes?: readonly string[]
  /** Whether tokens must be bound to a key (DPoP). Default false */
  requiresDpop?: boolean
  /** A name for people. Default none */
  name?: string
  /** Where developers read about the API. Default none */
  documentation?: string
  /** How long clients and proxies may keep the answer, in ms, whole seconds. Default 300,000 (5 min) */
  maxAgeMs?: number
}

/** The defaults of {@link ProtectedResourceOptions}. */
export const protectedResourceDefaults: Readonly<{ requiresDpop: boolean; maxAgeMs: number }> = Object.freeze(
  {
    requiresDpop: false,
    maxAgeMs: 300_000,
  },
)

const address: OptionCheck = (value) =>
  typeof value === 'string' && URL.canParse(value) && /^https?:/.test(value) && !value.includes('#')
    ? undefined
    : 'an https: address without a fragment'

const checks: OptionChecks<ProtectedResourceOptions> = {
  resource: address,
  authorizationServers: arrayOf(address, 1),
  scopes: arrayOf(scopeToken, 1),
  requiresDpop: boolean,
  name: string(1, 256),
  documentation: address,
  maxAgeMs: durationMs(0, 86_400_000),
}

/**
 * Answers with what clients must know of this API to get a token for it: for
 * `GET /.well-known/oauth-protected-resource`, and the path of `resource` after that. Name the address in the challenges of
 * `accessToken` by `resourceMetadata`. Any origin may read it.
 *
 * @throws {InvalidOption} an option is wrong or missing
 * @see RFC 9728
 */
export function protectedResource(
  options: ProtectedResourceOptions,
): (req: IncomingMessage, res: ServerResponse, next: Next) => void {
  const { resource, authorizationServers, scopes, requiresDpop, name, documentation, maxAgeMs } =
    resolveOptions('protectedResource', options, {
      checks,
      defaults: protectedResourceDefaults,
      required: ['resource', 'authorizationServers'],
    })
  // What is `undefined` is left out.
  const body = JSON.stringify({
    resource,
    authorization_servers: authorizationServers,
    scopes_supported: scopes,
    bearer_methods_supported: ['header'],
    dpop_bound_access_tokens_required: requiresDpop,
    resource_name: name,
    resource_documentation: documentation,
  })
  const cacheControl = `public, max-age=${Math.floor(maxAgeMs / 1_000)}`
  return function protectedResource(_req, res) {
    res.setHeader('Content-Type', 'application/json')
    res.setHeader('Cache-Control', cacheControl)
    res.setHeader('Access-Control-Allow-Origin', '*')
    res.end(body)
  }
}
