import type { IncomingMessage } from 'node:http'
import { resolveOptions } from '@scale/core'
import { Pool } from 'undici'
import type { BreakerState } from './algorithms/breaker.js'
import { Engine } from './call/engine.js'
import { addressBelow } from './http/address.js'
import { HttpCall } from './http/http-call.js'
import { StaleResponses } from './http/stale-responses.js'
import { type UpstreamOptions, upstreamChecks, upstreamDefaults } from './options.js'

/** What `fetch` takes: what it does everywhere, and for whom the call is. */
export interface UpstreamInit extends Omit<RequestInit, 'dispatcher' | 'duplex'> {
  /** The request that is being answered: the call ends with it, and by its deadline. Default: none */
  req?: IncomingMessage
  /** Shortens the deadline of this call. Default: that of the policy */
  deadlineMs?: number
  /**
   * Whether sending it twice does the same as once. Default: GET, HEAD, PUT, DELETE, OPTIONS and TRACE, and what has an
   * `Idempotency-Key`
   */
  repeatable?: boolean
}

/** Another service, as it is called. */
export interface Upstream {
  readonly name: string
  /** State of the breaker. */
  readonly state: BreakerState
  /** Calls under way, until the last byte of their response. */
  readonly inFlight: number
  /** Calls that wait for their turn. */
  readonly waiting: number
  /**
   * Calls the service. As with any `fetch`, a response with a status of 500 or above is a response; redirects are not
   * followed.
   *
   * Read the body, or cancel it: until then the call is under way, and ended by its deadline.
   *
   * @param path  below `baseUrl`, from `/`
   * @throws {UpstreamFailed} not reached, or broken off: 502
   * @throws {UpstreamTimeout} no answer in time: 504
   * @throws {UpstreamUnavailable} not tried, the breaker is open: 503
   * @throws {UpstreamBusy} not tried, too many calls are under way: 503
   * @throws {CallAborted} its caller has left
   * @throws {ForeignAddress} the path leaves `baseUrl`
   */
  fetch(path: string, init?: UpstreamInit): Promise<Response>
  /** Waits for calls under way and closes the connections. */
  close(): Promise<void>
}

/**
 * A service that is called over HTTP, with a pool of connections of its own. Make one per service and keep it.
 *
 * @throws {InvalidOption} unknown name or wrong range
 * @see docs/concepts/resilience.md
 */
export function upstream(options: UpstreamOptions): Upstream {
  const resolved = resolveOptions('upstream', options, {
    checks: upstreamChecks,
    defaults: upstreamDefaults,
    required: ['name', 'baseUrl'],
  })
  const { name, fallback, stale } = resolved
  const base = new URL(resolved.baseUrl)
  const engine = new Engine('upstream.policy', name, resolved.policy)
  const { breaker, bulkhead, options: policy } = engine.shared
  const pool = new Pool(base.origin, {
    connections: policy.maxConcurrent,
    keepAliveTimeout: resolved.keepAliveMs,
    connect: { timeout: policy.tryTimeoutMs },
    // Each call has a deadline of its own.
    headersTimeout: 0,
    bodyTimeout: 0,
  })

  function call(path: string, init: UpstreamInit): Promise<Response> {
    const address = addressBelow(name, base, path)
    const http = new HttpCall(pool, name, address, init, resolved)
    const last = stale && http.canBeStale ? new StaleResponses(name, stale, http) : undefined
    const { req, signal, deadlineMs } = init
    return engine.execute({
      task: last?.task ?? http.task,
      caller: { req, signal: signal as AbortSignal | null | undefined, deadlineMs },
      judge: http,
      canHedge: http.isRead,
      substitute:
        (last || fallback) &&
        (async (error) => {
          const response = (await last?.restore()) ?? (await fallback?.(error, path, init))
          return response && { value: response }
        }),
      failureOf: ({ status }) => http.failure(new Error(`It answered with status ${status}.`)),
    })
  }

  return {
    name,
    get state() {
      return breaker.state
    },
    get inFlight() {
      return bulkhead.inFlight
    },
    get waiting() {
      return bulkhead.waiting
    },
    // A promise also where the path is refused.
    fetch: async (path, init = {}) => call(path, init),
    close: () => pool.close(),
  }
}
