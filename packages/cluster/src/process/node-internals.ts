import type { ChildProcess } from 'node:child_process'
import type { Server } from 'node:net'

// Everything that this package uses of Node and that Node does not document, in one place. Tried on Node 20, 22, 24 and
// 26; `takeOver` says at run time when a listening socket does not look as it is described here.

/** Node publishes `{ server }` here in each `listen`. */
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
