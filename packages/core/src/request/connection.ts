import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2Session } from 'node:http2'
import type { Socket } from 'node:net'

/** Why a server ends a connection on purpose. */
export type CutCause = 'drain' | 'deadline'

/** A request that is under way. */
interface OpenRequest {
  readonly res: ServerResponse
  end(): void
}

/** What happened to a connection, beside its requests; one for all that it carries. */
export interface Connection {
  /** What is told when it closes: responses that wait in a pipeline, and upgraded connections, have no end of their own. */
  readonly open: Set<OpenRequest>
  /** The client ended its side while the server had not ended its own, or the network broke. */
  hasClientEnded: boolean
  /** What the server destroyed one of its responses with. */
  ownFailure: Error | undefined
  /** It was idle for too long: `stalled` if what was owed was the client's. */
  timeout: 'timeout' | 'stalled' | undefined
  cut: CutCause | undefined
}

// Registered, so that two copies of this package see one connection.
const connectionKey: unique symbol = Symbol.for('@scale/connection') as typeof connectionKey

/** What carries requests: a socket, or a session of HTTP/2. */
type Carrier = object & { [connectionKey]?: Connection }

/**
 * Says why the server is about to destroy a connection: its requests end with this cause. One that has carried no
 * request is left as it is.
 *
 * @param carrier  the socket, or the session of HTTP/2
 */
export function cutConnection(carrier: object, cause: CutCause): void {
  const connection = (carrier as Carrier)[connectionKey]
  if (connection !== undefined) connection.cut ??= cause
}

/** The connection that a request came by; watched from the first time on. */
export function connectionOf(req: IncomingMessage): Connection {
  const session = (req as { stream?: { session?: object } }).stream?.session
  const carrier: Carrier = session ?? req.socket ?? req
  const known = carrier[connectionKey]
  if (known !== undefined) return known
  const connection: Connection = {
    open: new Set(),
    hasClientEnded: false,
    ownFailure: undefined,
    timeout: undefined,
    cut: undefined,
  }
  carrier[connectionKey] = connection
  if (session !== undefined) watchSession(connection, session as Http2Session)
  else if (typeof req.socket?.on === 'function') watchSocket(connection, req.socket)
  return connection
}

function watchSocket(connection: Connection, socket: Socket): void {
  // Before Node's own listeners, which answer the end with an end, and a timeout with the end of it all.
  socket.prependListener('end', () => {
    connection.hasClientEnded = !socket.writableEnded
  })
  socket.prependListener('timeout', () => {
    connection.timeout = isOwedByClient(socket) ? 'stalled' : 'timeout'
    // Somebody may have kept it alive.
    setImmediate(() => {
      if (!socket.destroyed) connection.timeout = undefined
    })
  })
  socket.on('close', () => {
    // First whose failure it was.
    for (const one of connection.open) if (one.res.errored) one.end()
    for (const one of connection.open) one.end()
  })
}

function watchSession(connection: Connection, session: Http2Session): void {
  session.socket?.prependListener('error', () => {
    connection.hasClientEnded = true
  })
  session.prependListener('timeout', () => {
    connection.timeout = 'timeout'
    setImmediate(() => {
      if (!session.destroyed) connection.timeout = undefined
    })
  })
}

/** The client does not read what was written, or does not send what the server is reading. */
function isOwedByClient(socket: Socket): boolean {
  if (socket.writableLength > 0) return true
  const req = (socket as { _httpMessage?: ServerResponse | null })._httpMessage?.req
  return (
    req !== undefined &&
    !req.complete &&
    (req.readableFlowing === true || req.listenerCount('readable') > 0) &&
    req.readableLength === 0
  )
}
