import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2Session } from 'node:http2'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { cutConnection, routeTemplate } from '@scale/core'
import { Http2Sessions } from './http2-sessions.js'

/** One TCP or TLS connection that speaks HTTP/1 or has not spoken yet. */
interface Connection {
  readonly socket: Socket
  readonly openedAt: number
  /** What had been read when the connection was ready for its first request: a TLS handshake counts as nothing. */
  readonly silentBytes: number
  /** The last request. Pipelined ones are answered in order, so its answer is the last to finish. */
  request?: IncomingMessage
  response?: ServerResponse
  /** When a sweep first found it without a request; `performance.now()`. */
  idleSince?: number | undefined
  /** From when on it is told to close, in a drain; `performance.now()`. */
  toldAt?: number
  /** `websocket`, or another protocol, or `connect` for a tunnel. */
  upgraded?: string
}

/** A connection that was still busy when time ran out. */
export interface OpenConnection {
  kind: 'request' | 'upgraded' | 'http2'
  /** Method and route template, never the URL: `GET /v1/users/:id`. */
  route: string
  /** Since the connection was opened, in ms. */
  ageMs: number
}

const connectionOf: unique symbol = Symbol('connection')
type TrackedSocket = Duplex & { [connectionOf]?: Connection }

/**
 * What one server is busy with. It costs a request one property read and two writes: whether an answer is
 * finished is asked of the answer itself, when somebody wants to know.
 */
export class ConnectionTracker {
  /** Requests since the start. */
  requests = 0
  /** TCP connections since the start. */
  accepted = 0
  private readonly connections = new Set<Connection>()
  private readonly sessions = new Http2Sessions()
  /** TCP connections that a TLS socket or an HTTP/2 session will take over, by the address of the peer. */
  private readonly underneath = new Map<string, Connection>()
  private draining: { since: number; spreadMs: number } | undefined

  constructor(private readonly server: Server) {
    const isTakenOver = 'setSecureContext' in server || 'updateSettings' in server
    server.prependListener('connection', (socket: Socket) => {
      this.accepted++
      const connection = this.open(socket)
      if (isTakenOver) this.keepUnderneath(connection)
    })
    server.prependListener('secureConnection', (socket: TLSSocket) => {
      this.takeOver(socket)
      if (socket.alpnProtocol !== 'h2') this.open(socket, socket.bytesRead)
    })
    server.prependListener('session', (session: Http2Session) => {
      this.sessions.open(session, this.takeOver(session.socket), () => this.requests++)
    })
    for (const event of ['request', 'checkContinue', 'checkExpectation']) {
      this.beforeListeners(event, (request: IncomingMessage, response: ServerResponse) =>
        this.onRequest(request, response),
      )
    }
    for (const event of ['upgrade', 'connect']) {
      this.beforeListeners(event, (request: IncomingMessage, socket: Duplex) =>
        this.onUpgrade(request, socket),
      )
    }
  }

  /** Requests whose answer is not finished. */
  get inFlight(): number {
    let count = this.sessions.inFlight
    for (const connection of this.connections) if (isBusy(connection)) count++
    return count
  }

  /** Connections of every kind. */
  get size(): number {
    return this.connections.size + this.sessions.size
  }

  /**
   * Clients are told to go, by `Connection: close` or GOAWAY: now in what is under way, and who goes on sending within `spreadMs`, each
   * connection at a moment of its own, so that not all come back at once.
   */
  announceClose(spreadMs = 0): void {
    this.draining = { since: performance.now(), spreadMs }
    for (const { response } of this.connections) {
      if (response?.headersSent === false) lastOfItsConnection(response)
    }
    this.sessions.announceClose(spreadMs)
  }

  /**
   * Ends what never spoke, or has been idle for `lingerMs` since it could be told; asks each HTTP/2 session to end after its streams. An
   * answer whose headers left before the drain could not say `close`: its client may send once more.
   */
  closeIdle(lingerMs: number): void {
    const now = performance.now()
    let someLinger = false
    for (const connection of this.connections) {
      if (connection.upgraded !== undefined || isBusy(connection)) {
        connection.idleSince = undefined
        // Node takes for idle whose answer has ended for the app, while its bytes still leave.
        if (isFlushing(connection)) someLinger = true
        continue
      }
      if (!this.isTold(connection)) {
        someLinger = true
        continue
      }
      connection.idleSince ??= now
      if (now - connection.idleSince < lingerMs) someLinger = true
      else if (isSilent(connection)) connection.socket.destroy()
    }
    // Only Node knows whether a request has begun to arrive, and it closes all that are idle or none.
    if (!someLinger) Object.getPrototypeOf(this.server).closeIdleConnections?.call(this.server)
    this.sessions.closeIdle(lingerMs)
  }

  /** Each upgraded connection and its protocol. */
  *upgraded(): Generator<{ socket: Socket; protocol: string }> {
    for (const { socket, upgraded } of this.connections) {
      if (upgraded !== undefined) yield { socket, protocol: upgraded }
    }
  }

  /** Ends everything now. @returns what was busy */
  destroyAll(): OpenConnection[] {
    const now = Date.now()
    const open: OpenConnection[] = []
    for (const connection of this.connections) {
      if (connection.upgraded !== undefined || isBusy(connection)) open.push(describe(connection, now))
      cutConnection(connection.socket, 'drain')
      connection.socket.destroy()
    }
    for (const ageMs of this.sessions.destroyAll()) open.push({ kind: 'http2', route: '', ageMs })
    return open
  }

  /** Whether its moment in the drain has come. */
  private isTold(connection: Connection): boolean {
    if (this.draining === undefined) return true
    const { since, spreadMs } = this.draining
    connection.toldAt ??= since + Math.random() * spreadMs
    return performance.now() >= connection.toldAt
  }

  private open(socket: Socket, silentBytes = 0): Connection {
    const connection: Connection = { socket, openedAt: Date.now(), silentBytes }
    this.connections.add(connection)
    ;(socket as TrackedSocket)[connectionOf] = connection
    socket.once('close', () => this.connections.delete(connection))
    return connection
  }

  private keepUnderneath(connection: Connection): void {
    const peer = peerOf(connection.socket)
    this.underneath.set(peer, connection)
    connection.socket.once('close', () => {
      if (this.underneath.get(peer) === connection) this.underneath.delete(peer)
    })
  }

  private takeOver(upper: Pick<Socket, 'remoteAddress' | 'remotePort'>): Socket | undefined {
    const connection = this.underneath.get(peerOf(upper))
    if (connection !== undefined) this.connections.delete(connection)
    return connection?.socket
  }

  private onRequest(request: IncomingMessage, response: ServerResponse): void {
    if (request.httpVersionMajor === 2) return
    this.requests++
    const connection = (request.socket as TrackedSocket)[connectionOf]
    if (connection === undefined) return
    const previous = connection.response
    const isPipelined = previous?.headersSent === false
    if (this.draining !== undefined && (isPipelined || this.isTold(connection))) {
      // An answer that says `close` would forbid the one after it.
      if (isPipelined) previous.shouldKeepAlive = true
      lastOfItsConnection(response)
    }
    connection.request = request
    connection.response = response
  }

  private onUpgrade(request: IncomingMessage, socket: Duplex): void {
    this.requests++
    const connection = (socket as TrackedSocket)[connectionOf]
    if (connection === undefined) return
    connection.request = request
    connection.upgraded = (request.headers.upgrade ?? 'connect').toLowerCase()
  }

  /** Listening for `upgrade` changes what Node does, so our listener comes with the app's first, and before it. */
  private beforeListeners<Arguments extends never[]>(
    event: string,
    listener: (...args: Arguments) => void,
  ): void {
    const prepend = (): unknown =>
      this.server.prependListener(event, listener as (...args: unknown[]) => void)
    if (this.server.listenerCount(event) > 0) {
      prepend()
      return
    }
    const onNewListener = (added: string | symbol): void => {
      if (added !== event) return
      this.server.off('newListener', onNewListener)
      prepend()
    }
    this.server.on('newListener', onNewListener)
  }
}

const trackers = new WeakMap<Server, ConnectionTracker>()

/**
 * Starts to keep account of a server's connections and requests in flight; `drain` needs it to find connections
 * that never spoke, or that left HTTP by an upgrade. Call it when the server is created, before it listens.
 * `runCluster` does. A second call returns the same tracker.
 */
export function trackConnections(server: Server): ConnectionTracker {
  let tracker = trackers.get(server)
  if (tracker === undefined) {
    tracker = new ConnectionTracker(server)
    trackers.set(server, tracker)
  }
  return tracker
}

function isBusy({ response, upgraded, socket }: Connection): boolean {
  return upgraded === undefined && response !== undefined && !response.writableFinished && !socket.destroyed
}

/** Of a busy one: whether its client is yet to read what the app has done with. Of pipelined answers it may be an earlier one. */
function isFlushing({ response, socket }: Connection): boolean {
  return response?.writableEnded === true || socket.writableLength > 0
}

function isSilent({ socket, request, silentBytes }: Connection): boolean {
  return request === undefined && socket.bytesRead <= silentBytes
}

/** Makes Node write `Connection: close` and end the connection after this answer. */
function lastOfItsConnection(response: ServerResponse): void {
  response.shouldKeepAlive = false
}

function peerOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`
}

function describe({ request, upgraded, openedAt }: Connection, now: number): OpenConnection {
  const kind = upgraded === undefined ? 'request' : 'upgraded'
  const route = request && routeTemplate(request as Parameters<typeof routeTemplate>[0])
  return { kind, route: [request?.method, route].join(' ').trim(), ageMs: now - openedAt }
}
