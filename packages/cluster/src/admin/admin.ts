import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { integer, object, resolveOptions, string } from '@scale/core'
import { AdminNotListening } from '../errors.js'
import type { CheckState } from '../worker/health.js'

/** Answers one path of the admin server. Express-shaped: `(req, res)`. */
export type AdminHandler = (req: IncomingMessage, res: ServerResponse) => unknown

/** The server for orchestrators and people, beside the public one; in a cluster it runs in the primary. */
export interface AdminOptions {
  /** Default 9464; 0 takes a free one */
  port?: number
  /** Default '127.0.0.1'. In a container that a kubelet probes: `0.0.0.0`; keep it off the public network. */
  host?: string
  /**
   * More paths, such as `{ '/metrics': handler }`. A key that ends in `/*` takes everything under it. The three
   * probe paths cannot be replaced. Default: no others
   */
  routes?: Readonly<Record<string, AdminHandler>>
}

/** What the probes are asked about. */
export interface HealthSource {
  /** Start-up is over: it happened once and stays true. */
  started: boolean
  /** This copy takes traffic. */
  ready: boolean
  /** Why not, or what is amiss although it is: `draining`, `starting`, `workers`, `dependencies`. */
  reasons: string[]
  checks: CheckState[]
}

/** What holds where `admin` says nothing. */
export const adminDefaults: Readonly<Required<AdminOptions>> = Object.freeze({
  port: 9464,
  host: '127.0.0.1',
  routes: {},
})

/** Checks and completes the options, so that a mistake shows before any worker is forked. */
export function resolveAdminOptions(options: AdminOptions): Required<AdminOptions> {
  return resolveOptions('runCluster: admin', options, {
    checks: { port: integer(0, 65_535), host: string(), routes: object },
    defaults: adminDefaults,
  })
}

/**
 * Starts the admin server.
 *
 * `/livez` says that this process turns its loop, and nothing else. `/startupz` is 200 once start-up is over.
 * `/readyz` is 200 while this copy should get traffic; 503 else, with `Connection: close`.
 *
 * @throws {AdminNotListening} the port is taken or not allowed
 */
export async function startAdmin(
  options: Required<AdminOptions>,
  health: () => HealthSource,
): Promise<{ server: Server; url: string }> {
  const probes: Record<string, AdminHandler> = {
    '/livez': (_req, res) => answer(res, 200, { status: 'ok' }),
    '/startupz': (_req, res) => {
      const { started } = health()
      answer(res, started ? 200 : 503, { status: started ? 'ok' : 'starting' })
    },
    '/readyz': (_req, res) => {
      const { ready, reasons, checks } = health()
      const status = !ready ? 'unavailable' : reasons.length > 0 ? 'degraded' : 'ok'
      answer(res, ready ? 200 : 503, { status, reasons, checks })
    },
  }
  const routes = { ...options.routes, ...probes }
  const server = createServer((req, res) => handle(routes, req, res))
  // A probe opens a connection each time; nothing may hold the process at its end.
  server.keepAliveTimeout = 1_000
  await listen(server, options)
  server.unref()
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return { server, url: `http://${host}:${port}` }
}

function listen(server: Server, { port, host }: Required<AdminOptions>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(new AdminNotListening(port, cause)))
    server.listen({ port, host, exclusive: true }, resolve)
  })
}

async function handle(
  routes: Readonly<Record<string, AdminHandler>>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const path = (req.url ?? '/').split('?', 1)[0]!
  const handler = Object.hasOwn(routes, path) ? routes[path] : underPrefix(routes, path)
  if (handler === undefined) return answer(res, 404, { status: 'not found' })
  try {
    await handler(req, res)
  } catch {
    if (res.headersSent) res.destroy()
    else answer(res, 500, { status: 'error' })
  }
}

function underPrefix(routes: Readonly<Record<string, AdminHandler>>, path: string): AdminHandler | undefined {
  const prefix = Object.keys(routes).find(
    (key) => key.endsWith('/*') && (path.startsWith(key.slice(0, -1)) || path === key.slice(0, -2)),
  )
  return prefix === undefined ? undefined : routes[prefix]
}

function answer(res: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...(status === 503 ? { connection: 'close' } : {}),
  })
  res.end(res.req.method === 'HEAD' ? undefined : text)
}
