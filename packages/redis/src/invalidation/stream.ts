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

type StreamEntry = [id: string, fields: string[]]

/** A log that is read from where reading stopped: a reconnect loses nothing, as long as the log still holds that place. */
export class StreamTransport implements Transport {
  readonly mode = 'stream'
  #lastId: string | undefined

  async arm(connection: OwnConnection): Promise<boolean> {
    if (this.#lastId !== undefined && this.#lastId !== '0-0') {
      const place = await connection.call('XRANGE', [STREAM_KEY, this.#lastId, this.#lastId])
      if ((place as unknown[]).length === 1) return true
    }
    await this.#goToEnd(connection)
    return false
  }

  /** A block that ends without news proves that there was none. */
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
    const last = entries.at(-1)
    if (last === undefined) return
    this.#lastId = last[0]
    if (entries.length >= BATCH) {
      await this.#goToEnd(connection)
      receiver.onLoss()
      return
    }
    for (const [, fields] of entries) receiver.onKeys((fields[1] ?? '').split('\n'))
  }

  async #goToEnd(connection: OwnConnection): Promise<void> {
    const newest = (await connection.call('XREVRANGE', [STREAM_KEY, '+', '-', 'COUNT', 1])) as StreamEntry[]
    this.#lastId = newest[0]?.[0] ?? '0-0'
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
