import diagnostics from 'node:diagnostics_channel'
import type { Server } from 'node:net'

/** Node publishes `{ server }` here in each `listen`. */
export const listenChannel = 'tracing:net.server.listen:asyncStart'

/** The part of a libuv handle that is needed here. */
interface ListeningHandle {
  close(): void
}

type ListeningServer = Server & { _handle: ListeningHandle | null }

/**
 * The listening sockets that the cluster module opens in the primary, so that they can be closed before the workers stop.
 *
 * By itself the module closes a socket when its last worker has let go, and resets whatever it had accepted in
 * between. It takes the handle away from the server that opened it; that is how its servers are told from the app's.
 *
 * @returns closes them, in the moment in which their accept queues have just been emptied
 */
export function followListeners(): () => Promise<void> {
  const opened: { server: ListeningServer; handle: ListeningHandle }[] = []
  diagnostics.subscribe(listenChannel, (message) => {
    const { server } = message as { server: ListeningServer }
    server.prependOnceListener('listening', () => {
      if (server._handle !== null) opened.push({ server, handle: server._handle })
    })
  })
  return async () => {
    await acceptQueueEmptied()
    const ours = opened.filter(({ server }) => server._handle === null)
    for (const { handle } of ours) handle.close()
  }
}

/** A turn of the loop this short has done little but accept. */
const SHORT_TURN_MS = 0.2
/** How many turns are tried until any will do. */
const MAX_TURNS = 100

/**
 * Resolves in the check phase of a short turn of the loop: all connections that were waiting have just been accepted, and
 * hardly any time has passed since. What waits when a listening socket is closed is reset by the kernel.
 */
export async function acceptQueueEmptied(): Promise<void> {
  let before = performance.now()
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    const now = performance.now()
    if (turn > 0 && now - before < SHORT_TURN_MS) return
    before = now
  }
}
