import type { Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'
import { Server } from 'node:net'
import { durationMs, func, object, resolveOptions } from '@scale/core'
import { acceptQueueEmptied } from './accept-queue.js'
import { type ConnectionTracker, type OpenConnection, trackConnections } from './connections.js'

/** How a server stops without losing a request. All times count from the call of `drain`. */
export interface DrainOptions {
  /**
   * How long new connections are still accepted, so that a load balancer can see that this copy is not ready
   * and stop sending. At least probe period × failure threshold. Default 0
   */
  delayMs?: number
  /** Ends the delay early, when it resolves. Default none */
  acceptUntil?: Promise<unknown>
  /** After the delay, how long a connection must be idle until it is closed: it may send one last request. Default 1,000 */
  lingerMs?: number
  /**
   * Over how long clients that go on sending are told to close their connections, each at a moment of its own, so that not all of them
   * connect anew at once; a quarter of `timeoutMs` at most. Default 1,000
   */
  spreadMs?: number
  /** When everything that is left is destroyed. Default 20,000 */
  timeoutMs?: number
  /** When `onAbort` is called. Default: 80 % of `timeoutMs` */
  abortAfterMs?: number
  /** Tells long answers (server-sent events, large downloads) to come to an end. Default none */
  onAbort?: () => void
  /**
   * Ends one upgraded connection politely, after the linger. Default: a WebSocket gets a close frame with status
   * 1001 (going away, RFC 6455 §7.4.1); any other protocol waits for its own end.
   */
  closeUpgraded?: (socket: Socket, protocol: string) => void
}

/** How a drain went. */
export interface DrainReport {
  tookMs: number
  /** What had to be destroyed at the end; empty after a clean drain. */
  forced: OpenConnection[]
}

/** What holds where the options of `drain` say nothing. */
export const drainDefaults: Readonly<
  Required<Pick<DrainOptions, 'delayMs' | 'lingerMs' | 'spreadMs' | 'timeoutMs' | 'closeUpgraded'>>
> = Object.freeze({
  delayMs: 0,
  lingerMs: 1_000,
  spreadMs: 1_000,
  timeoutMs: 20_000,
  closeUpgraded: sayGoingAway,
})

/** How often idle connections are looked for. */
const SWEEP_MS = 100

/** How long what was destroyed may take, at most, to be gone; HTTP/2 clients are told first. */
const DESTROY_MS = 500

/**
 * Stops servers without cutting an answer or resetting a client that is just sending, which `server.close()` does
 * to idle keep-alive connections (nodejs/node#60617).
 *
 * In order: answers say `Connection: close`, at once where they are under way, within `spreadMs` on connections that are kept alive; for `delayMs` new connections are still accepted; then the
 * servers stop listening while their connections live on and may send one last request; what stays idle or silent for
 * `lingerMs` is closed, upgraded connections are asked to end (500 a second, faster if time is short), HTTP/2 sessions end after their streams, and
 * requests in flight go on; at `abortAfterMs` long answers are told to end; at `timeoutMs` the rest is
 * destroyed and reported. It returns as soon as nothing is left.
 *
 * @param servers  `net`, `http`, `https` or `http2` servers; call `trackConnections` on each before it listens
 * @returns        never rejects for what a client does
 */
export async function drain(
  servers: Server | readonly Server[],
  options?: DrainOptions,
): Promise<DrainReport> {
  const { delayMs, acceptUntil, lingerMs, spreadMs, timeoutMs, abortAfterMs, onAbort, closeUpgraded } =
    resolveOptions('drain', options, {
      checks: {
        delayMs: durationMs(0),
        acceptUntil: object,
        lingerMs: durationMs(0),
        spreadMs: durationMs(0),
        timeoutMs: durationMs(0),
        abortAfterMs: durationMs(0),
        onAbort: func,
        closeUpgraded: func,
      },
      defaults: drainDefaults,
    })
  const startedAt = performance.now()
  const until = (ms: number): number => startedAt + ms - performance.now()
  const list: readonly Server[] = Array.isArray(servers) ? servers : [servers as Server]
  const trackers = list.map(trackConnections)
  const isEmpty = (): boolean => trackers.every((tracker) => tracker.size === 0)
  const cancelAbort = at(until(abortAfterMs ?? timeoutMs * 0.8), () => onAbort?.())

  for (const server of list) closeWithTheDrain(server)
  for (const tracker of trackers) tracker.announceClose(Math.min(spreadMs, timeoutMs / 4))
  const delay = pause(Math.min(until(delayMs), until(timeoutMs)))
  await (acceptUntil === undefined ? delay : Promise.race([delay, acceptUntil]))
  const accepted = (): number => trackers.reduce((sum, tracker) => sum + tracker.accepted, 0)
  await acceptQueueEmptied(accepted, until(timeoutMs))
  for (const server of list) stopListening(server)
  const politely = goingAway(trackers, closeUpgraded)
  const toldFrom = performance.now() + lingerMs
  await waitUntil(() => {
    for (const tracker of trackers) tracker.closeIdle(lingerMs)
    if (performance.now() >= toldFrom) politely(until(timeoutMs))
    return isEmpty()
  }, until(timeoutMs))

  cancelAbort()
  const forced = trackers.flatMap((tracker) => tracker.destroyAll())
  await waitUntil(isEmpty, DESTROY_MS)
  // Only now `http.Server#close`: it stops the server's own timers.
  for (const server of list) closeAsNode(server)
  return { tookMs: performance.now() - startedAt, forced }
}

type OnClose = (error?: Error) => void

/** Not the method of `http.Server`, which destroys idle connections at once. */
function stopListening(server: Server, callback: OnClose = () => {}): Server {
  return Server.prototype.close.call(server, callback)
}

function closeAsNode(server: Server, callback: OnClose = () => {}): Server {
  return Object.getPrototypeOf(server).close.call(server, callback)
}

/**
 * An app that closes its server while it drains, which is what apps do on SIGTERM, gets what it wants when the drain has it: its own close
 * would cut idle connections whose clients are just sending.
 */
function closeWithTheDrain(server: Server): void {
  const http = server as Server & Partial<Pick<HttpServer, 'closeIdleConnections'>>
  let isAsked = false
  let isClosed = false
  server.once('close', () => {
    isClosed = true
  })
  http.close = function close(callback) {
    // It may listen again one day, and to close twice is as wrong as ever.
    if (isClosed && server.listening) return closeAsNode(server, callback)
    if (isAsked) return stopListening(server, callback)
    isAsked = true
    if (callback !== undefined) {
      if (isClosed) process.nextTick(callback)
      else server.once('close', () => callback())
    }
    return server
  }
  if (http.closeIdleConnections !== undefined) http.closeIdleConnections = () => {}
}

/** So many upgraded connections are told in one sweep, so that their clients do not come back all at once; more only if time is short. */
const TOLD_PER_SWEEP = 50

/** @returns tells the next ones, given how much time is left for all of them */
function goingAway(
  trackers: readonly ConnectionTracker[],
  close: (socket: Socket, protocol: string) => void,
): (leftMs: number) => void {
  const told = new WeakSet<Socket>()
  return (leftMs) => {
    const others = trackers
      .flatMap((tracker) => [...tracker.upgraded()])
      .filter(({ socket }) => !told.has(socket))
    // Half of the time for telling, the other half for what they answer.
    const sweeps = Math.max(1, leftMs / 2 / SWEEP_MS)
    for (const { socket, protocol } of others.slice(0, Math.max(TOLD_PER_SWEEP, others.length / sweeps))) {
      told.add(socket)
      close(socket, protocol)
    }
  }
}

/** Close frame, status 1001, no reason. Frames are written whole, so it cannot fall inside another. */
const GOING_AWAY = Buffer.from([0x88, 0x02, 0x03, 0xe9])

/** Tells a WebSocket client to come back elsewhere. */
export function sayGoingAway(socket: Socket, protocol: string): void {
  if (protocol === 'websocket' && socket.writable) socket.write(GOING_AWAY)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}

function at(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, Math.max(0, ms))
  return () => clearTimeout(timer)
}

/** Asks in the check phase, right after the poll phase has read whatever had arrived. */
async function waitUntil(done: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve))
    if (done()) return
    const left = deadline - performance.now()
    if (left <= 0) return
    await pause(Math.min(SWEEP_MS, left))
  }
}
