import type { Server as HttpServer } from 'node:http'
import type { Server } from 'node:net'

/** Node's own default, up to version 26. */
const NODE_DEFAULT_MS = 5_000
/** Our side must be the later one to close, by more than a slow network and a busy loop. */
const MARGIN_MS = 5_000

/**
 * A load balancer that reuses a connection in the moment in which we close it answers its client with 502; so our limit
 * for idle connections must be the longer one. A server with Node's default gets one; one that was set by
 * hand is left alone.
 *
 * @param loadBalancerIdleMs  how long the balancer keeps an idle connection; 0 leaves every server alone
 * @returns what is set too short, in words
 */
export function fitKeepAlive(servers: readonly Server[], loadBalancerIdleMs: number): string[] {
  if (loadBalancerIdleMs === 0) return []
  return servers.flatMap((server) => {
    const http = server as Partial<Pick<HttpServer, 'keepAliveTimeout'>>
    const { keepAliveTimeout } = http
    if (keepAliveTimeout === NODE_DEFAULT_MS) http.keepAliveTimeout = loadBalancerIdleMs + MARGIN_MS
    // 0 is no limit.
    else if (
      keepAliveTimeout !== undefined &&
      keepAliveTimeout > 0 &&
      keepAliveTimeout <= loadBalancerIdleMs
    ) {
      return [
        `keepAliveTimeout of ${keepAliveTimeout} ms is not above the ${loadBalancerIdleMs} ms that the load balancer ` +
          'keeps idle connections: it will answer some requests with 502',
      ]
    }
    return []
  })
}
