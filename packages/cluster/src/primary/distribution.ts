import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import diagnostics from 'node:diagnostics_channel'
import type { Server } from 'node:net'
import { acceptQueueEmptied } from '../drain/accept-queue.js'
import {
  followWorker,
  handleOf,
  type Listening,
  listenChannel,
  type SocketHandle,
} from '../process/node-internals.js'

/** A worker, as far as connections are concerned. */
export interface Taker {
  readonly placeId: number
  /** `undefined` if it could not be started. */
  readonly process: ChildProcess | undefined
  /** Who is asked first has the lowest rank; `undefined` takes no connections now. */
  readonly rank: number | undefined
  /** Resolves when the process has ended. */
  readonly exited: Promise<unknown>
}

/** One listening socket of the primary. */
interface Listener {
  key: string
  /** `undefined` once the cluster module has closed it: its last worker was gone. */
  socket: SocketHandle | undefined
  /** Accepted, and not yet on their way to a worker. */
  waiting: Set<SocketHandle>
  /** Who listens; who was served last is the last. */
  takers: Set<Taker>
}

interface Handed {
  listener: Listener
  connection: SocketHandle
  taker: Taker
}

/** How long accepted connections may take, at most, to be handed to workers. */
const HANDOVER_MS = 1_000

/**
 * Hands connections to workers, in the place of the cluster module, whose round robin serves whoever listens.
 *
 * Here a worker is served while it is ready: not while it boots, although it listens, and not from the moment in which it is
 * told to drain. A connection that finds nobody waits. One is on its way to a worker at a time; if the worker
 * does not take it, or dies first, another gets it: a worker answers before it reads, and all that it said is heard
 * before its end, so no request runs twice.
 */
export class Distribution {
  private readonly listeners = new Map<string, Listener>()
  private readonly onTheWay = new Map<string, Handed>()
  private lastOpened: { server: Server; handle: SocketHandle } | undefined
  private handed = 0
  private accepted = 0
  private isClosed = false

  constructor(
    private readonly sticky: boolean,
    /** This Node's cluster module is not as it is expected to be: it distributes by itself. */
    private readonly onForeign: () => void,
  ) {
    diagnostics.subscribe(listenChannel, this.onListen)
  }

  /** Connections that no worker has taken yet. */
  get pending(): number {
    let count = this.onTheWay.size
    for (const { waiting } of this.listeners.values()) count += waiting.size
    return count
  }

  /** From now on the worker takes part. */
  add(taker: Taker): void {
    if (taker.process === undefined) return
    followWorker(
      taker.process,
      ({ ack, act, key, accepted }) => {
        if (typeof ack === 'string') this.onAnswer(ack, accepted === true)
        else if (act === 'close' && key !== undefined) this.leave(taker, this.listeners.get(key))
      },
      (key) => this.join(taker, key),
    )
    // A worker without its pipe can be told nothing.
    taker.process.once('disconnect', () => this.leaveAll(taker))
    void taker.exited.then(async () => {
      this.leaveAll(taker)
      // Two polls: what the worker said before its end is then read.
      for (let poll = 0; poll < 2; poll++) await new Promise((resolve) => setImmediate(resolve))
      for (const [seq, handed] of this.onTheWay) if (handed.taker === taker) this.onAnswer(seq, false)
    })
  }

  /** Some worker's rank has changed. */
  update(): void {
    for (const listener of this.listeners.values()) this.distribute(listener)
  }

  /** Closes the sockets, each in a moment in which its queue is empty, and hands over what they accepted. */
  async close(): Promise<void> {
    diagnostics.unsubscribe(listenChannel, this.onListen)
    await acceptQueueEmptied(() => this.accepted)
    for (const { socket } of this.listeners.values()) socket?.close()
    const until = performance.now() + HANDOVER_MS
    while (this.pending > 0 && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 5))
    this.isClosed = true
    for (const { waiting } of this.listeners.values()) for (const connection of waiting) connection.close()
  }

  private readonly onListen = (message: unknown): void => {
    const { server } = message as Listening
    // Before the cluster module's own listeners, which take the handle away and answer the worker.
    server.prependOnceListener('listening', () => {
      const handle = handleOf(server)
      if (handle) this.lastOpened = { server, handle }
    })
  }

  private join(taker: Taker, key: string): void {
    const known = this.listeners.get(key)
    const listener = known?.socket === undefined ? this.takeOver(key, known) : known
    if (listener === undefined) this.onForeign()
    else {
      listener.takers.add(taker)
      this.distribute(listener)
    }
  }

  /** A socket that the cluster module has just opened: from now on its connections come here. */
  private takeOver(key: string, known: Listener | undefined): Listener | undefined {
    const opened = this.lastOpened
    if (opened === undefined || handleOf(opened.server) !== null) return undefined
    if (typeof opened.handle.onconnection !== 'function') return undefined
    const listener: Listener = known ?? { key, socket: undefined, waiting: new Set(), takers: new Set() }
    listener.socket = opened.handle
    this.listeners.set(key, listener)
    opened.handle.onconnection = (_error, connection) => {
      if (connection === undefined) return
      this.accepted++
      listener.waiting.add(connection)
      this.distribute(listener)
    }
    return listener
  }

  private distribute(listener: Listener): void {
    const ranks = [...listener.takers].flatMap(({ rank }) => (rank === undefined ? [] : [rank]))
    if (ranks.length === 0) return
    const best = Math.min(...ranks)
    for (const connection of listener.waiting) {
      const able = [...listener.takers].filter(({ rank }) => rank === best)
      const taker = this.sticky
        ? closestTo(connection, able)
        : able.find((one) => !this.isBusy(listener, one))
      if (taker === undefined) return
      if (!this.isBusy(listener, taker)) this.hand(listener, connection, taker)
    }
  }

  private isBusy(listener: Listener, taker: Taker): boolean {
    for (const handed of this.onTheWay.values()) {
      if (handed.taker === taker && handed.listener === listener) return true
    }
    return false
  }

  private hand(listener: Listener, connection: SocketHandle, taker: Taker): void {
    listener.waiting.delete(connection)
    listener.takers.delete(taker)
    listener.takers.add(taker)
    // A string: the cluster module numbers its own questions.
    const seq = `scale-${++this.handed}`
    this.onTheWay.set(seq, { listener, connection, taker })
    const message = { cmd: 'NODE_CLUSTER', act: 'newconn', key: listener.key, seq }
    // If it cannot be sent the worker is about to end, and its end brings the connection back.
    // A taker has joined over its pipe.
    ;(taker.process!.send as (...args: unknown[]) => boolean)(message, connection, undefined, () => {})
  }

  private onAnswer(seq: string, accepted: boolean): void {
    const handed = this.onTheWay.get(seq)
    if (handed === undefined) return
    this.onTheWay.delete(seq)
    const { listener, connection } = handed
    if (accepted || this.isClosed) connection.close()
    else listener.waiting = new Set([connection, ...listener.waiting])
    this.distribute(listener)
  }

  private leaveAll(taker: Taker): void {
    for (const listener of this.listeners.values()) this.leave(taker, listener)
  }

  private leave(taker: Taker, listener: Listener | undefined): void {
    if (listener === undefined) return
    listener.takers.delete(taker)
    // With its last worker the cluster module closes the socket; what it had accepted waits for the next worker.
    if (listener.takers.size === 0) listener.socket = undefined
  }
}

/** By the address of the peer, whoever else comes and goes (rendezvous hashing); its place keeps its number in a reload. */
function closestTo(connection: SocketHandle, takers: readonly Taker[]): Taker | undefined {
  const peer: { address?: string } = {}
  connection.getpeername?.(peer)
  let best: { taker: Taker; weight: string } | undefined
  for (const taker of takers) {
    const weight = createHash('sha256').update(`${peer.address} ${taker.placeId}`).digest('hex')
    if (best === undefined || weight > best.weight) best = { taker, weight }
  }
  return best?.taker
}
