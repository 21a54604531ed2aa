import type { ChildProcess } from 'node:child_process'
import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

// Everything that this package uses of Node and that Node does not document, in one place. Tried on Node 20, 22, 24 and
// 26 (`test/nodes.test.ts`); a primary looks at its start whether this Node is as it is described here.

/** What Node publishes in each `listen`, before it reads it: changes to the options count. */
export interface Listening {
  server: Server
  options: { port?: unknown; reusePort?: boolean }
}

/** Where Node publishes it. */
export const listenChannel = 'tracing:net.server.listen:asyncStart'

/** A libuv handle. */
export interface SocketHandle {
  close(): void
  /** Of a listening one: called for each connection, with an error or the connection. */
  onconnection?: (error: number, connection?: SocketHandle) => unknown
  /** Of a TCP connection. */
  getpeername?(out: { address?: string }): unknown
}

/** What a server listens with. The cluster module takes it away from the server that opened it. */
export function handleOf(server: Server): SocketHandle | null | undefined {
  return (server as Server & { _handle?: SocketHandle | null })._handle
}

/** What of this Node is not as it is described here; nothing, in those that were tried. */
export async function unexpected(): Promise<string[]> {
  const server = createServer()
  let heard: Listening | undefined
  const onListen = (message: unknown): void => {
    if ((message as Listening).server === server) heard = message as Listening
  }
  diagnostics.subscribe(listenChannel, onListen)
  server.listen({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  diagnostics.unsubscribe(listenChannel, onListen)
  const handle = handleOf(server)
  const isHandle = typeof handle?.onconnection === 'function' && typeof handle.close === 'function'
  server.close()
  return [
    ...(heard?.options.port === 0 ? [] : [`the channel ${listenChannel}`]),
    ...(isHandle ? [] : ['the handle of a listening server']),
  ]
}

/** Whether sockets of several processes can listen on one port here (SO_REUSEPORT with a fair share for each). */
export function canReusePort(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const hasOption = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)
  return hasOption && ['linux', 'freebsd'].includes(process.platform)
}

/** From now on this process binds the ports itself that it listens on, beside others; the cluster module has no part in it. */
export function bindBesideOthers(): void {
  diagnostics.subscribe(listenChannel, (message) => {
    const { options } = message as Listening
    if (options.port !== undefined) options.reusePort = true
  })
}

/** Messages of the cluster module, between a primary and one worker. */
export interface ClusterMessage {
  cmd: 'NODE_CLUSTER'
  /** `newconn` carries a connection to a worker; `close` says that the worker no longer listens. */
  act?: string
  /** Which listening socket. */
  key?: string
  /** A question's number; its answer says it in `ack`. */
  seq?: number | string
  ack?: number | string
  /** Whether the worker takes the connection. */
  accepted?: boolean
  /** Why `listen` failed in the primary; 0 or null if it did not. */
  errno?: number | null
}

function isOfCluster(message: unknown): message is ClusterMessage {
  return (message as Partial<ClusterMessage> | null)?.cmd === 'NODE_CLUSTER'
}

/** Calls `onMessage` for what the cluster module of a worker says, and `onListen` when the primary lets it listen. */
export function followWorker(
  child: ChildProcess,
  onMessage: (message: ClusterMessage) => void,
  onListen: (key: string) => void,
): void {
  const { send } = child
  child.send = ((message: unknown, handle?: unknown, ...rest: unknown[]) => {
    const sent = (send as (...args: unknown[]) => boolean).call(child, message, handle, ...rest)
    // An answer with a socket of its own (datagrams) is none of a shared listener.
    if (isOfCluster(message) && message.ack !== undefined && message.key !== undefined) {
      if (!message.errno && (handle === null || handle === undefined)) onListen(message.key)
    }
    return sent
  }) as typeof send
  child.on('internalMessage', (message: unknown) => {
    if (isOfCluster(message)) onMessage(message)
  })
}
