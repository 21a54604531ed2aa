import diagnostics from 'node:diagnostics_channel'
import type { Server } from 'node:net'
import { listenChannel } from './serving.js'

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
 * @returns closes them, in the moment in which their accept queues have just been emptied; resolves to how many
 */
export function followListeners(): () => Promise<number> {
  const opened: { server: ListeningServer; handle: ListeningHandle }[] = []
  diagnostics.subscribe(listenChannel, (message) => {
    const { server } = message as { server: ListeningServer }
    server.prependOnceListener('listening', () => {
      if (server._handle !== null) opened.push({ server, handle: server._handle })
    })
  })
  return async () => {
    // The check phase: right after the poll phase has accepted all that was waiting.
    await new Promise((resolve) => setImmediate(resolve))
    const ours = opened.filter(({ server }) => server._handle === null)
    for (const { handle } of ours) handle.close()
    return ours.length
  }
}
