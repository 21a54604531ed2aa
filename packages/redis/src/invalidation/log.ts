import { defineScript, type Script } from '../script.js'

/** The log of invalidations, a stream. It trims itself, and is gone an hour after the last who wrote or listened. */
export const LOG_KEY = 'scale:redis:1:invalidations'
/** Before the first entry. */
export const NOWHERE = '0-0'

const LIFETIME_MS = 3_600_000

/**
 * The beginning of scripts that change keys: `announce(log, names)` tells all processes of it in the same step. The first
 * write of a script is one that a full server allows, and after it the server allows the others.
 */
export const announceLua: string = `local function announce(log, names)
  redis.call('PEXPIRE', log, ${LIFETIME_MS})
  local id = redis.call('XADD', log, 'MAXLEN', '~', 10000, '*', 'keys', table.concat(names, '\\n'))
  redis.call('PEXPIRE', log, ${LIFETIME_MS})
  return id
end
`

/** For a Cluster, where the log lies in a slot of its own. */
export const announceScript: Script = defineScript(
  'redis.announce',
  `-- KEYS[1] log
-- ARGV names of keys
-- Reply: id of the entry. O(1) but for the trimming, which is amortised.
${announceLua}
return announce(KEYS[1], ARGV)`,
)

const placeLua = `-- KEYS[1] log
-- ARGV[1] id of an entry
-- Reply: { replication id or '', id of the newest entry, 1 if the given entry is there }. O(log n).
local info = redis.pcall('INFO', 'replication')
local history = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or ''
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest and redis.call('PTTL', KEYS[1]) < ${LIFETIME_MS / 2} then redis.call('PEXPIRE', KEYS[1], ${LIFETIME_MS}) end
return { history, newest and newest[1] or '${NOWHERE}', #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) }`

/**
 * Which server this is, and how far its log goes. A replica that is promoted names another history: it may lack entries
 * that its primary had acknowledged.
 */
export const placeScript: Script = defineScript('redis.log-place', placeLua)

/** Where a server's log stands. */
export interface LogPlace {
  /** Its replication id; empty if it does not tell. */
  readonly history: string
  readonly newestId: string
  /** Whether the entry that was asked for is still there. */
  readonly found: boolean
}

export function logPlace(reply: unknown): LogPlace {
  const [history, newestId, found] = reply as [string, string, number]
  return { history, newestId, found: found === 1 }
}

/** Whether `a` is an earlier entry than `b`. */
export function isBefore(a: string, b: string): boolean {
  const [[aMs = 0, aNumber = 0], [bMs = 0, bNumber = 0]] = [partsOf(a), partsOf(b)]
  return aMs === bMs ? aNumber < bNumber : aMs < bMs
}

function partsOf(id: string): number[] {
  return id.split('-').map(Number)
}

/** One entry: its id, and the names of the keys that have changed. */
export type LogEntry = readonly [id: string, names: readonly string[]]

type RawEntry = [id: string, fields: string[]]

/** RESP2 gives `[[stream, entries]]`, RESP3 a map of it, which ioredis 6 may hand on as an object or as pairs. */
export function entriesOf(reply: unknown): LogEntry[] {
  return rawEntries(reply).map(([id, fields]) => [id, (fields[1] ?? '').split('\n')])
}

function rawEntries(reply: unknown): RawEntry[] {
  if (reply === null || reply === undefined) return []
  if (Array.isArray(reply)) {
    const first: unknown = reply[0]
    return ((Array.isArray(first) ? first[1] : reply[1]) ?? []) as RawEntry[]
  }
  return reply instanceof Map
    ? ((reply.get(LOG_KEY) ?? []) as RawEntry[])
    : ((reply as Record<string, RawEntry[]>)[LOG_KEY] ?? [])
}
