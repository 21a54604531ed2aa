import { defineScript, type Script } from '../script.js'
import type { OwnConnection, Receiver, Transport } from './transport.js'

/** The log of invalidations. It trims itself, and is gone an hour after the last one. */
export const STREAM_KEY = 'scale:redis:1:invalidations'
/** Entries that one reply may hold. More means that this process has fallen far behind. */
const BATCH = 1_000

export const appendScript: Script = defineScript(
  'redis.append-invalidation',
  `-- KEYS[1] stream
-- ARGV names of keys
-- Reply: id of the entry. O(1) but for the trimming, which is amortised.
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', 10000, '*', 'keys', table.concat(ARGV, '\\n'))
redis.call('PEXPIRE', KEYS[1], 3600000)
return id`,
)

/**
 * Which server this is, and whether it has the place up to which a reader has read. A replica that is promoted names
 * another history: it may lack entries that its primary had acknowledged.
 */
const placeLua = `-- KEYS[1] stream
-- ARGV[1] id of an entry
-- Reply: { replication id or '', 1 if the entry is there }. O(log n).
local info = redis.pcall('INFO', 'replication')
local history = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or ''
return { history, #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) }`

/** Before the first entry. */
const NOWHERE = '0-0'

type StreamEntry = [id: string, fields: string[]]

/** A log that is read from where reading stopped: a reconnect loses nothing, as long as the log still holds that place. */
export class StreamTransport implements Transport {
  readonly mode = 'stream'
  #lastId: string | undefined
  #history: string | undefined

  async arm(connection: OwnConnection): Promise<boolean> {
    const place = await this.#place(connection)
    if (place.found && place.history === this.#history) return true
    await this.#goToEnd(connection)
    this.#history = place.history
    return false
  }

  /**
   * A block that ends without news proves that there was none: if it was on the same server, which a Cluster client
   * may have changed meanwhile without a word.
   */
  async prove(connection: OwnConnection, receiver: Receiver, waitMs: number): Promise<void> {
    const args = [
      'COUNT',
      BATCH,
      'BLOCK',
      Math.max(1, Math.ceil(waitMs)),
      'STREAMS',
      STREAM_KEY,
      this.#lastId!,
    ]
    const reply = await connection.call('XREAD', args)
    const entries = entriesOf(reply)
    if (entries.length >= BATCH) return this.#skipToEnd(connection, receiver)
    for (const [id, fields] of entries) {
      this.#lastId = id
      receiver.onKeys((fields[1] ?? '').split('\n'))
    }
    const { history } = await this.#place(connection)
    if (history !== this.#history) await this.#skipToEnd(connection, receiver)
  }

  async #skipToEnd(connection: OwnConnection, receiver: Receiver): Promise<void> {
    // Should this fail, reading does not go on from the old place.
    this.#lastId = undefined
    await this.arm(connection)
    receiver.onLoss()
  }

  async #place(connection: OwnConnection): Promise<{ history: string; found: boolean }> {
    const args = [placeLua, 1, STREAM_KEY, this.#lastId ?? NOWHERE]
    const [history, found] = (await connection.call('EVAL', args)) as [string, number]
    return { history, found: found === 1 }
  }

  async #goToEnd(connection: OwnConnection): Promise<void> {
    const newest = (await connection.call('XREVRANGE', [STREAM_KEY, '+', '-', 'COUNT', 1])) as StreamEntry[]
    this.#lastId = newest[0]?.[0] ?? NOWHERE
  }
}

/** RESP2 gives `[[stream, entries]]`, RESP3 a map of it, which ioredis 6 may hand on as an object or as pairs. */
function entriesOf(reply: unknown): StreamEntry[] {
  if (reply === null || reply === undefined) return []
  if (Array.isArray(reply)) {
    const first: unknown = reply[0]
    return (Array.isArray(first) ? first[1] : reply[1]) as StreamEntry[]
  }
  return reply instanceof Map
    ? ((reply.get(STREAM_KEY) ?? []) as StreamEntry[])
    : ((reply as Record<string, StreamEntry[]>)[STREAM_KEY] ?? [])
}
