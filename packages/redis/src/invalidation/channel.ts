import { setTimeout as delay } from 'node:timers/promises'
import { type InvalidationStateMessage, invalidationStateChannel } from '../channels.js'
import type { RedisClient } from '../client.js'
import type { StoreGuard } from '../guard/port.js'
import { storeGuard } from '../guard/store-guard.js'
import { answered, type OwnConnection, ownConnection } from './connection.js'
import {
  announceScript,
  entriesOf,
  isBefore,
  LOG_KEY,
  type LogPlace,
  logPlace,
  NOWHERE,
  placeScript,
} from './log.js'

/** Someone who keeps copies of what is in Redis. */
export interface InvalidationListener {
  /** Beginnings of the names of keys to be told of. They must not overlap with those of another listener. */
  readonly prefixes: readonly string[]
  /** How often the channel has to prove that it has heard everything: four times in this time, in ms. */
  readonly livenessMs: number
  /** This key was announced, by whomever. Also called for what this process announced. */
  onKey(key: string): void
  /** Something may have been missed: no copy can be trusted. */
  onLoss(): void
}

/**
 * Tells this process which keys were invalidated in Redis, so that it may keep copies.
 *
 * By a log in Redis, to which everyone adds who invalidates, and which every process that listens reads on a connection
 * of its own: the same for all, whatever the server. It has no news of whoever writes without announcing it.
 *
 * What is heard is complete up to the last proof. A proof takes both connections: the client's own tells how far the
 * log goes on the server that it writes to, and reading has come that far in the same history. So a channel that was
 * left with an old primary, or with a peer that is mute, proves nothing, and is made anew.
 */
export interface InvalidationChannel {
  /** Where a script may announce by {@link announceLua} in the same step; `undefined` in a Cluster: `announce` after it. */
  readonly log: string | undefined
  /** Age of the last proof, in ms: every change older than this has been heard of. Infinity if there is none. */
  silentForMs(nowMs: number): number
  /** Starts to listen; the first listener opens the connection. @returns a function that ends it; the last closes it */
  watch(listener: InvalidationListener): () => void
  /**
   * Tells all processes that keys have changed, after they have.
   *
   * @throws {RedisUnavailable} it is not known whether they were told
   */
  announce(keys: readonly string[]): Promise<void>
}

const channels = new WeakMap<RedisClient, InvalidationChannel>()

/** The invalidation channel of a client: always the same one for the same client, whoever asks. */
export function invalidationChannel(client: RedisClient): InvalidationChannel {
  let channel = channels.get(client)
  if (channel === undefined) {
    channel = new Channel(client)
    channels.set(client, channel)
  }
  return channel
}

/** Entries that one reply may hold. More means that this process has fallen far behind. */
const BATCH = 1_000
/** Names in one entry. */
const MAX_NAMES = 500
/** How long the server holds a reading that has no news, in ms. */
const BLOCK_MS = 5_000
/** How long after that its answer may take, in ms. */
const ANSWER_MS = 2_000
/** Pause before a server that refused is asked again, in ms. */
const REFUSED_MS = 1_000

class Channel implements InvalidationChannel {
  readonly log: string | undefined
  readonly #client: RedisClient
  readonly #guard: StoreGuard
  readonly #listeners = new Set<InvalidationListener>()
  #connection: OwnConnection | undefined
  /** Changes with every connection: what an older one still does is over. */
  #epoch = 0
  #armed = false
  /** Up to where, and of which history, the log has been read. */
  #lastId: string | undefined
  #history: string | undefined
  #provenAt = Number.NEGATIVE_INFINITY
  /** The proof is complete when reading has come this far. */
  #owed: { readonly id: string; readonly askedAt: number } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(client: RedisClient) {
    this.#client = client
    this.#guard = storeGuard(client)
    this.log = client.isCluster ? undefined : LOG_KEY
    client.on('end', () => this.#close())
    client.on('ready', () => this.#open())
  }

  silentForMs(nowMs: number): number {
    return nowMs - this.#provenAt
  }

  watch(listener: InvalidationListener): () => void {
    this.#listeners.add(listener)
    // In the turn in which a client is made, its connection is not there to be duplicated from yet.
    setImmediate(() => this.#open())
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#close()
    }
  }

  async announce(keys: readonly string[]): Promise<void> {
    const entries: Promise<unknown>[] = []
    for (let i = 0; i < keys.length; i += MAX_NAMES) {
      entries.push(this.#guard.run(announceScript, [LOG_KEY], keys.slice(i, i + MAX_NAMES)))
    }
    await Promise.all(entries)
  }

  #open(): void {
    if (this.#connection !== undefined || this.#listeners.size === 0) return
    const connection = ownConnection(this.#client)
    if (connection === undefined) return
    this.#connection = connection
    connection.on('ready', () => void this.#read(connection))
    connection.on('close', () => this.#disarm())
    connection.connect().catch(() => {})
    void this.#prove(connection)
  }

  /** Reads the log as long as the connection answers. */
  async #read(connection: OwnConnection): Promise<void> {
    const epoch = ++this.#epoch
    try {
      await this.#takePlace(connection)
      if (epoch !== this.#epoch) return
      this.#armed = true
      this.#report(true)
      while (epoch === this.#epoch) {
        const args = ['COUNT', BATCH, 'BLOCK', BLOCK_MS, 'STREAMS', LOG_KEY, this.#lastId!]
        const entries = entriesOf(await answered(connection, 'XREAD', args, BLOCK_MS + ANSWER_MS))
        if (epoch !== this.#epoch) return
        if (entries.length < BATCH) {
          for (const [id, names] of entries) this.#hear(id, names)
        } else {
          this.#lose(await this.#place(connection))
        }
      }
    } catch (error) {
      // A server that loads, or refuses, is asked again after a while; to one that is mute the connection is made anew.
      if ((error as Error).name === 'ReplyError') await delay(REFUSED_MS, undefined, { ref: false })
      if (epoch === this.#epoch) connection.disconnect(true)
    }
  }

  /** Goes on where reading stopped; or, where that is not to be found, at the end, with everything lost. */
  async #takePlace(connection: OwnConnection): Promise<void> {
    const place = await this.#place(connection)
    if (!place.found || place.history !== this.#history) this.#lose(place)
  }

  async #place(connection: OwnConnection): Promise<LogPlace> {
    const args = [placeScript.lua, 1, LOG_KEY, this.#lastId ?? NOWHERE]
    return logPlace(await answered(connection, 'EVAL', args, ANSWER_MS))
  }

  #lose({ history, newestId }: LogPlace): void {
    this.#history = history
    this.#lastId = newestId
    this.#owed = undefined
    for (const listener of this.#listeners) listener.onLoss()
  }

  #hear(id: string, names: readonly string[]): void {
    this.#lastId = id
    for (const listener of this.#listeners) {
      for (const name of names) {
        if (listener.prefixes.some((prefix) => name.startsWith(prefix))) listener.onKey(name)
      }
    }
    const owed = this.#owed
    if (owed === undefined || isBefore(id, owed.id)) return
    this.#provenAt = owed.askedAt
    this.#owed = undefined
  }

  /** Asks, over the client's own connection, how far there is to be read. */
  async #prove(connection: OwnConnection): Promise<void> {
    while (connection === this.#connection) {
      const livenessMs = Math.min(...[...this.#listeners].map((listener) => listener.livenessMs))
      const askedAt = performance.now()
      const readTo = this.#armed ? this.#lastId : undefined
      if (readTo !== undefined && this.#guard.available(LOG_KEY)) {
        const options = { deadlineMs: livenessMs }
        const reply = await this.#guard.run(placeScript, [LOG_KEY], [readTo], options).catch(() => undefined)
        if (reply !== undefined && this.#armed) this.#compare(logPlace(reply), readTo, askedAt, connection)
      }
      const leftMs = askedAt + livenessMs / 4 - performance.now()
      await new Promise((resolve) => {
        this.#timer = setTimeout(resolve, Math.max(1, leftMs)).unref()
      })
    }
  }

  #compare(place: LogPlace, readTo: string, askedAt: number, connection: OwnConnection): void {
    // It is another server that the client writes to.
    if (place.history !== this.#history) {
      this.#disarm()
      connection.disconnect(true)
    } else if (isBefore(place.newestId, readTo)) {
      // What had been read is not there any more: somebody has deleted the log.
      this.#lose(place)
    } else if (isBefore(this.#lastId!, place.newestId)) {
      this.#owed ??= { id: place.newestId, askedAt }
    } else {
      this.#provenAt = askedAt
      this.#owed = undefined
    }
  }

  #disarm(): void {
    this.#epoch++
    if (this.#armed) this.#report(false)
    this.#armed = false
    this.#owed = undefined
  }

  #close(): void {
    this.#disarm()
    clearTimeout(this.#timer)
    this.#connection?.disconnect()
    this.#connection = undefined
    this.#provenAt = Number.NEGATIVE_INFINITY
  }

  #report(armed: boolean): void {
    const message: InvalidationStateMessage = { armed }
    if (invalidationStateChannel.hasSubscribers) invalidationStateChannel.publish(message)
  }
}
