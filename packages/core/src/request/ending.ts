import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Connection, CutCause } from './connection.js'

/** How a response ended. */
export interface Ending {
  /**
   * - `answered`: all of it is with the system
   * - `upgraded`: the connection spoke another protocol, and is closed
   * - `left`: the client closed or reset
   * - `malformed`: what it sent is no HTTP
   * - `stalled`: a timeout, while the client was neither reading nor sending what it owed
   * - `timeout`: a timeout, while the server owed the answer
   * - `error`: the server failed
   * - `cut`: the server closed without a reason that is known; `drain`, `deadline`: with one
   */
  cause: 'answered' | 'upgraded' | 'left' | 'malformed' | 'stalled' | 'timeout' | 'error' | 'cut' | CutCause
  /** Whose doing it was; `undefined` if nothing was broken off. */
  side: 'client' | 'server' | undefined
}

type Failure = NodeJS.ErrnoException | null | undefined

/** A response of HTTP/2, as far as its end is concerned. */
interface Stream {
  rstCode?: number
  aborted?: boolean
  errored?: Failure
}

export const answered: Ending = Object.freeze({ cause: 'answered', side: undefined })

/** True for a response of HTTP/2 of which all is with the system. */
export function isWholeStream(res: ServerResponse): boolean {
  const { writableEnded, stream } = res as ServerResponse & { stream?: Stream }
  return writableEnded && !stream?.aborted && !stream?.rstCode
}

/**
 * By whose doing a response is not complete.
 *
 * @param hasError  an error of the request is known
 */
export function brokenBy(
  req: IncomingMessage,
  res: ServerResponse,
  connection: Connection,
  hasError: boolean,
): Ending {
  connection.ownFailure ??= res.errored ?? undefined
  if (connection.cut !== undefined) return { cause: connection.cut, side: 'server' }
  if (req.httpVersionMajor >= 2) return streamBrokenBy(res, connection)
  if (isUpgrade(req) && !res.headersSent) return { cause: 'upgraded', side: undefined }
  const failure = req.socket?.errored as Failure
  if (connection.hasClientEnded) return { cause: 'left', side: 'client' }
  // Destroyed by the server with an error of its own, which may be the system's word on a call to another service.
  if (failure && failure === connection.ownFailure) return { cause: 'error', side: 'server' }
  if (isOfNetwork(failure)) return { cause: 'left', side: 'client' }
  if (/^HPE_/.test(String(failure?.code))) return { cause: 'malformed', side: 'client' }
  if (failure?.code === 'ERR_HTTP_REQUEST_TIMEOUT') return { cause: 'stalled', side: 'client' }
  if (connection.timeout !== undefined) return timedOut(connection.timeout)
  return { cause: hasError || failure ? 'error' : 'cut', side: 'server' }
}

function streamBrokenBy(res: ServerResponse, { timeout, hasClientEnded }: Connection): Ending {
  if (timeout !== undefined) return timedOut(timeout)
  if (hasClientEnded) return { cause: 'left', side: 'client' }
  const { errored, rstCode } = (res as { stream?: Stream }).stream ?? {}
  // That is what Node makes of a code by which a stream was reset; `INTERNAL_ERROR` is what a server says of itself.
  const isOwn = errored ? errored.code !== 'ERR_HTTP2_STREAM_ERROR' : false
  return isOwn || rstCode === INTERNAL_ERROR
    ? { cause: 'error', side: 'server' }
    : { cause: 'left', side: 'client' }
}

/** RFC 9113, section 7. */
const INTERNAL_ERROR = 2

function timedOut(cause: 'timeout' | 'stalled'): Ending {
  return { cause, side: cause === 'stalled' ? 'client' : 'server' }
}

function isUpgrade(req: IncomingMessage): boolean {
  return (req as { upgrade?: unknown }).upgrade === true
}

/** What the system says of this connection. */
function isOfNetwork(failure: Failure): boolean {
  return failure?.errno !== undefined && (failure.syscall === 'read' || failure.syscall === 'write')
}
