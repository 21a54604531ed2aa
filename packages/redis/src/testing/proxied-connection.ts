import { connect, type Socket } from 'node:net'
import { delayLine } from './delay-line.js'
import type { Faults } from './fault-proxy.js'

/** A client's connection and the one to the target that belongs to it. */
export interface ProxiedConnection {
  /** The faults have changed. */
  wake(): void
  /** Ends both sides at once; the client sees ECONNRESET. */
  reset(): void
  /** The target sees the end of the connection; the client sees nothing, now or later. */
  loseTarget(): void
}

/** What the connections count together. */
export interface Traffic {
  bytesToTarget: number
  bytesToClient: number
}

/** Beyond this many bytes under way the sender is asked to wait, as by a full TCP window. */
const WINDOW_BYTES = 256 * 1_024

/**
 * Joins a client to the target through two delay lines. A connection that lost anything to a black hole stays
 * silent for the rest of its life: going on in the middle of a command would be another fault than the one asked for.
 */
export function proxiedConnection(
  client: Socket,
  target: { host: string; port: number },
  faults: () => Readonly<Faults>,
  traffic: Traffic,
): ProxiedConnection {
  const upstream = connect({ ...target, noDelay: true, allowHalfOpen: true })
  let silent = false

  const toTarget = forward(client, upstream, (bytes) => {
    traffic.bytesToTarget += bytes
  })
  const toClient = forward(
    upstream,
    client,
    (bytes) => {
      traffic.bytesToClient += bytes
    },
    () => faults().holdReplies,
  )

  function forward(from: Socket, to: Socket, count: (bytes: number) => void, held = () => false) {
    const line = delayLine(
      () => ({ ...faults(), held: held() }),
      (bytes) => {
        count(bytes.length)
        to.write(bytes)
        adjustFlow()
      },
    )
    function adjustFlow(): void {
      if (!silent && line.queuedBytes + to.writableLength > WINDOW_BYTES) from.pause()
      else from.resume()
    }
    from.on('data', (bytes) => {
      if (isLost()) return
      line.push(bytes)
      adjustFlow()
    })
    from.on('end', () => {
      if (!isLost()) line.pushEnd(() => to.end())
    })
    to.on('drain', adjustFlow)
    return line
  }

  /** Whether what just happened on one side must stay unknown to the other. */
  function isLost(): boolean {
    if (faults().blackHole) goSilent()
    return silent
  }

  function goSilent(): void {
    silent = true
    toTarget.drop()
    toClient.drop()
    // Whoever still sends is read, so that it believes to be heard.
    client.resume()
    upstream.resume()
  }

  function reset(): void {
    goSilent()
    client.resetAndDestroy()
    upstream.destroy()
  }

  client.on('error', () => {})
  client.on('close', () => {
    toClient.drop()
    // What the client sent before it left still arrives, as it would on a wire.
    if (isLost()) upstream.destroy()
    else toTarget.pushEnd(() => upstream.destroy())
  })
  upstream.on('error', () => {
    if (!isLost()) reset()
  })

  return {
    wake: () => {
      if (faults().blackHole && toTarget.queuedBytes + toClient.queuedBytes > 0) goSilent()
      toTarget.wake()
      toClient.wake()
    },
    reset,
    loseTarget: () => {
      goSilent()
      upstream.destroy()
    },
  }
}
