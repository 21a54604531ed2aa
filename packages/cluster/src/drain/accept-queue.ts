import diagnostics from 'node:diagnostics_channel'
import type { Server } from 'node:net'

/** Node publishes `{ server }` here in each `listen`. */
export const listenChannel = 'tracing:net.server.listen:asyncStart'

/** The part of a libuv handle that is needed here. */
interface ListeningHandle {
  close(): void
  /** Called by libuv for each connection. */
  onconnection?: (...args: unknown[]) => unknown
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
    const ours = opened.filter(({ server }) => server._handle === null).map(({ handle }) => handle)
    const counts = ours.map(countAccepted)
    await acceptQueueEmptied(() => counts.reduce((sum, count) => sum + count(), 0))
    for (const handle of ours) handle.close()
  }
}

/** @returns how many connections this handle has accepted since */
function countAccepted(handle: ListeningHandle): () => number {
  const { onconnection } = handle
  let accepted = 0
  if (onconnection !== undefined) {
    handle.onconnection = function (...args) {
      accepted++
      return onconnection.apply(this, args)
    }
  }
  return () => accepted
}

/** A turn of the loop this short has done next to nothing: by itself it takes 2 µs. */
const IDLE_TURN_MS = 0.01
/** Each turn that was too long makes the measure of the next longer: a busy process is content with half a millisecond after 80. */
const LENIENCE = 1.05
/** Who is flooded with connections has to reset some in the end. */
const LONGEST_MS = 1_000

/**
 * Resolves in the check phase of a short turn of the loop that found nothing to accept. What waits when a listening socket is
 * closed is reset by the kernel; from the look into the queue until now hardly any time has passed. (Node 20 accepts one
 * connection in a turn, so that a turn that accepted one says nothing of the others.)
 *
 * @param accepted   how many connections have been accepted so far
 * @param longestMs  resolves after so long in any case, at most a second
 */
export async function acceptQueueEmptied(
  accepted: () => number,
  longestMs: number = LONGEST_MS,
): Promise<void> {
  let idleMs = IDLE_TURN_MS
  let now = performance.now()
  const deadline = now + Math.min(longestMs, LONGEST_MS)
  while (now < deadline) {
    const [before, acceptedBefore] = [now, accepted()]
    await new Promise((resolve) => setImmediate(resolve))
    now = performance.now()
    if (accepted() !== acceptedBefore) continue
    if (now - before < idleMs) return
    idleMs *= LENIENCE
  }
}
