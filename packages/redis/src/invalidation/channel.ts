import { type InvalidationStateMessage, invalidationStateChannel } from '../channels.js'
import type { RedisClient } from '../client.js'
import type { StoreGuard } from '../guard/port.js'
import { storeGuard } from '../guard/store-guard.js'
import { ownConnection } from './connection.js'
import { PUBSUB_CHANNEL, PubSubTransport } from './pubsub.js'
import { appendScript, STREAM_KEY, StreamTransport } from './stream.js'
import { TrackingTransport } from './tracking.js'
import type { InvalidationMode, OwnConnection, Receiver, Transport } from './transport.js'

/** Someone who keeps copies of what is in Redis. */
export interface InvalidationListener {
  /** Beginnings of the names of keys to be told of. They must not overlap with those of another listener. */
  readonly prefixes: readonly string[]
  /** How often the channel has to prove that it is alive: at least four times in this time, in ms. */
  readonly livenessMs: number
  /** This key has changed, by whomever. Also called for changes of one's own. */
  onKey(key: string): void
  /** Something may have been missed: no copy can be trusted. */
  onLoss(): void
}

/**
 * Tells this process what has changed in Redis, so that it may keep copies.
 *
 * By client tracking where the server allows it; else by a log, or by messages, to which every writer adds by
 * `announce`. What is heard is complete up to the last proof of life; a reader compares that with its own bound.
 */
export interface InvalidationChannel {
  /** `undefined` until the server has been asked for the first time. */
  readonly mode: InvalidationMode | undefined
  /** Age of the last proof of life, in ms: every change older than this has been heard of. Infinity if there is none. */
  silentForMs(nowMs: number): number
  /** Starts to listen; the first listener opens the connection. @returns a function that ends it; the last closes it */
  watch(listener: InvalidationListener): () => void
  /**
   * Tells the others that keys have changed, after they have. With tracking the server has done so already.
   *
   * @throws {RedisUnavailable} it is not known whether they were told
   */
  announce(keys: readonly string[]): Promise<void>
}

const channels = new WeakMap<RedisClient, InvalidationChannel>()

/**
 * The invalidation channel of a client: always the same one for the same client, whoever asks.
 *
 * @param modes  what to try, in this order; all processes on one Redis must be given the same.
 *               Default: tracking, stream, pubsub; on a Cluster the stream alone: tracking knows one server only, and
 *               messages between nodes prove nothing
 */
export function invalidationChannel(
  client: RedisClient,
  modes?: readonly InvalidationMode[],
): InvalidationChannel {
  let channel = channels.get(client)
  if (channel === undefined) {
    const wanted = modes ?? (client.isCluster ? ['stream'] : ['tracking', 'stream', 'pubsub'])
    channel = new Channel(client, wanted)
    channels.set(client, channel)
  }
  return channel
}

/** A connection that has proved nothing for this long is cut and made anew. */
const RECONNECT_AFTER_MS = 5_000

class Channel implements InvalidationChannel, Receiver {
  readonly #client: RedisClient
  readonly #guard: StoreGuard
  readonly #listeners = new Set<InvalidationListener>()
  #candidates: Transport[]
  #connection: OwnConnection | undefined
  /** Changes with every arming: what an older one still does is over. */
  #epoch = 0
  #armed = false
  #provenAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(client: RedisClient, modes: readonly InvalidationMode[]) {
    this.#client = client
    this.#guard = storeGuard(client)
    this.#candidates = modes.map(transportOf)
    client.on('end', () => this.#close())
    client.on('ready', () => {
      if (this.#connection === undefined) this.#rearm()
    })
  }

  get mode(): InvalidationMode | undefined {
    return this.#armed || this.#candidates.length === 1 ? this.#candidates[0]?.mode : undefined
  }

  silentForMs(nowMs: number): number {
    return nowMs - this.#provenAt
  }

  watch(listener: InvalidationListener): () => void {
    this.#listeners.add(listener)
    // Those who begin in the same turn of the event loop are armed together.
    setImmediate(() => this.#rearm())
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#close()
    }
  }

  async announce(keys: readonly string[]): Promise<void> {
    const mode = this.mode
    if (mode === 'tracking') return
    if (mode !== 'pubsub') {
      try {
        await this.#guard.run(appendScript, [STREAM_KEY], keys)
        if (mode === 'stream') return
      } catch (error) {
        // As long as this process has not asked the server, the others may be listening by either means.
        if (mode === 'stream' || (error as Error).name !== 'ReplyError') throw error
      }
    }
    await this.#guard.call('publish', [PUBSUB_CHANNEL, keys.join('\n')])
  }

  onKeys(keys: readonly string[]): void {
    for (const listener of this.#listeners) {
      for (const key of keys) {
        if (listener.prefixes.some((prefix) => key.startsWith(prefix))) listener.onKey(key)
      }
    }
  }

  onLoss(): void {
    for (const listener of this.#listeners) listener.onLoss()
  }

  /** The set of prefixes has changed, or the connection is to be opened. */
  #rearm(): void {
    if (this.#listeners.size === 0) return
    if (this.#connection !== undefined) {
      if (this.#connection.status === 'ready') this.#connection.disconnect(true)
      return
    }
    const connection = ownConnection(this.#client)
    if (connection === undefined) return
    this.#connection = connection
    connection.on('ready', () => void this.#arm(connection))
    connection.on('close', () => this.#disarm())
    connection.connect().catch(() => {})
    this.#watchOver(connection)
  }

  async #arm(connection: OwnConnection): Promise<void> {
    const epoch = ++this.#epoch
    const armedAt = performance.now()
    const prefixes = [...new Set([...this.#listeners].flatMap((listener) => listener.prefixes))]
    try {
      const complete = await this.#firstThatWorks(connection, prefixes)
      if (epoch !== this.#epoch || complete === undefined) return
      this.#armed = true
      if (!complete) {
        this.onLoss()
        this.#provenAt = armedAt
      }
      this.#report(true)
      await this.#proveFor(connection, epoch)
    } catch {
      // The connection is gone or the server refused: `close` follows, or the watch makes it follow.
      if (epoch === this.#epoch) this.#disarm()
    }
  }

  /** @returns whether nothing was missed; `undefined` if the server allows none */
  async #firstThatWorks(
    connection: OwnConnection,
    prefixes: readonly string[],
  ): Promise<boolean | undefined> {
    for (;;) {
      const [transport] = this.#candidates
      if (transport === undefined) return undefined
      try {
        return await transport.arm(connection, prefixes, this)
      } catch (error) {
        if ((error as Error).name !== 'ReplyError' || isPassing(error)) throw error
        this.#candidates = this.#candidates.slice(1)
      }
    }
  }

  async #proveFor(connection: OwnConnection, epoch: number): Promise<void> {
    while (epoch === this.#epoch && this.#listeners.size > 0) {
      const everyMs = Math.min(...[...this.#listeners].map(({ livenessMs }) => livenessMs)) / 4
      const transport = this.#candidates[0]!
      const sentAt = performance.now()
      await transport.prove(connection, this, everyMs)
      if (epoch !== this.#epoch) return
      this.#provenAt = sentAt
      const leftMs = sentAt + everyMs - performance.now()
      if (transport.mode !== 'stream' && leftMs > 0) await this.#pause(leftMs)
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#timer = setTimeout(resolve, ms).unref()
    })
  }

  #disarm(): void {
    this.#epoch++
    if (this.#armed) this.#report(false)
    this.#armed = false
  }

  /** A peer that vanished without a word leaves a connection that looks alive. */
  #watchOver(connection: OwnConnection): void {
    const timer = setInterval(() => {
      if (this.#connection !== connection) clearInterval(timer)
      else if (connection.status === 'ready' && this.silentForMs(performance.now()) > RECONNECT_AFTER_MS) {
        connection.disconnect(true)
      }
    }, RECONNECT_AFTER_MS).unref()
  }

  #close(): void {
    this.#disarm()
    clearTimeout(this.#timer)
    this.#connection?.disconnect()
    this.#connection = undefined
    this.#provenAt = Number.NEGATIVE_INFINITY
  }

  #report(armed: boolean): void {
    if (!invalidationStateChannel.hasSubscribers) return
    const message: InvalidationStateMessage = { mode: this.#candidates[0]!.mode, armed }
    invalidationStateChannel.publish(message)
  }
}

function transportOf(mode: InvalidationMode): Transport {
  if (mode === 'tracking') return new TrackingTransport()
  return mode === 'stream' ? new StreamTransport() : new PubSubTransport()
}

/** Errors of a server that will allow it later. */
function isPassing(error: unknown): boolean {
  return /^(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|MISCONF|BUSY|TRYAGAIN|MOVED|ASK) /.test(
    (error as Error).message,
  )
}
