import { constants, type Http2Session, type Http2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { cutConnection } from '@scale/core'

interface Session {
  openedAt: number
  /** The TCP connection underneath: a session that was asked to close no longer destroys it. */
  socket: Socket | undefined
  streams: Set<Http2Stream>
  /** When it is told to go; `performance.now()`. */
  toldAt?: number
  /** When a sweep first wanted it to end; `performance.now()`. */
  leavingSince?: number
}

/** Streams that are just being opened are still served (RFC 9113 §6.8). */
const LARGEST_STREAM_ID = 2 ** 31 - 1

/** How long the frames that reset streams may take, at most, to leave. */
const RESET_FLUSH_MS = 300

/** The HTTP/2 side of a server's connections. */
export class Http2Sessions {
  private readonly sessions = new Map<Http2Session, Session>()
  private draining = false

  get size(): number {
    return this.sessions.size
  }

  /** Streams that are not finished. */
  get inFlight(): number {
    let count = 0
    for (const { streams } of this.sessions.values()) count += streams.size
    return count
  }

  open(session: Http2Session, socket: Socket | undefined, onStream: () => void): void {
    const streams = new Set<Http2Stream>()
    this.sessions.set(session, { openedAt: Date.now(), socket, streams })
    session.on('stream', (stream: Http2Stream) => {
      onStream()
      streams.add(stream)
      stream.once('close', () => streams.delete(stream))
    })
    session.once('close', () => this.sessions.delete(session))
    if (this.draining) session.goaway(0, LARGEST_STREAM_ID)
  }

  /** Clients are told to open no more streams, each at a moment of its own within `spreadMs`. */
  announceClose(spreadMs: number): void {
    this.draining = true
    for (const [session, state] of this.sessions) {
      const inMs = Math.random() * spreadMs
      state.toldAt = performance.now() + inMs
      setTimeout(() => {
        if (!session.destroyed) session.goaway(0, LARGEST_STREAM_ID)
      }, inMs).unref()
    }
  }

  /** Asks each session to end after its streams, `lingerMs` after it was told. */
  closeIdle(lingerMs: number): void {
    const now = performance.now()
    for (const [session, state] of this.sessions) {
      if (now < (state.toldAt ?? 0)) continue
      state.leavingSince ??= now
      if (now - state.leavingSince < lingerMs) continue
      // Without the client's preface, `close` would wait for ever.
      if (state.socket?.bytesRead === 0) state.socket.destroy()
      else if (!session.closed) session.close()
    }
  }

  /** Ends everything now. @returns for each stream that is cut, how old its connection is in ms */
  destroyAll(): number[] {
    const ages: number[] = []
    for (const [session, { openedAt, streams, socket }] of this.sessions) {
      cutConnection(session, 'drain')
      for (const stream of streams) {
        ages.push(Date.now() - openedAt)
        stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      }
      // First the client is told that its answer was cut; an HTTP/2 connection that just ends looks like a clean end.
      if (!session.closed) session.close()
      setTimeout(() => {
        session.destroy()
        socket?.destroy()
      }, RESET_FLUSH_MS).unref()
    }
    return ages
  }
}
