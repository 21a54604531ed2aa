import { randomUUID } from 'node:crypto'
import { defineScript, keyspace, type RedisClient, type StoreGuard, storeGuard } from '@scale/redis'

const BEAT_MS = 5_000

/** After so long without a beat a process counts as gone, in ms. */
const GONE_MS = 15_000

/**
 * KEYS   1 sorted set of processes by the time of their last beat
 * ARGV   1 this process, 2 after how long one is gone, in ms
 * Reply  how many there are. Clock: the server's. O(log processes)
 */
const beat = defineScript(
  'rate-limit.beat',
  `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
return redis.call('ZCARD', KEYS[1])`,
)

/** What limiters of several processes have in common. */
export interface FleetName {
  readonly prefix: string
  readonly name: string
}

/**
 * Knows how many processes divide the quotas of limiters of one name: each says every 5 s that it is there. Two clients of one process
 * are two only where each has a limiter of that name, which then counts by itself.
 */
export class Fleet {
  readonly #guard: StoreGuard
  readonly #key: string
  readonly #id = randomUUID()
  readonly #onError: (error: unknown) => void
  #last = 1
  #secondLast = 1

  constructor(redis: RedisClient, { prefix, name }: FleetName, onError: (error: unknown) => void) {
    this.#guard = storeGuard(redis)
    this.#key = keyspace(prefix, 'rate-limit', 1).plain('processes', name)
    this.#onError = onError
  }

  /**
   * Processes, 1 or more. The larger of the last two counts, so that a fleet that returns from an outage one by one
   * is not taken for a small one; during an outage, what it was before.
   */
  get size(): number {
    return Math.max(this.#last, this.#secondLast)
  }

  /** Says that this process is there. */
  readonly beat = async (): Promise<void> => {
    try {
      const count = Number(await this.#guard.run(beat, [this.#key], [this.#id, GONE_MS]))
      this.#secondLast = this.#last
      this.#last = count
    } catch (error) {
      this.#onError(error)
    }
  }
}

const fleets = new WeakMap<RedisClient, Map<string, Fleet>>()

/** The fleet of a limiter: one that takes its place goes on with it. */
export function fleetOf(redis: RedisClient, of: FleetName, onError: (error: unknown) => void): Fleet {
  const known = fleets.get(redis) ?? startBeating(redis)
  const id = `${of.prefix} ${of.name}`
  let fleet = known.get(id)
  if (fleet === undefined) {
    fleet = new Fleet(redis, of, onError)
    known.set(id, fleet)
    if (redis.status === 'ready') fleet.beat()
  }
  return fleet
}

/** One timer for all fleets of a client, until the client has ended. */
function startBeating(redis: RedisClient): Map<string, Fleet> {
  const known = new Map<string, Fleet>()
  fleets.set(redis, known)
  const beatAll = (): void => {
    for (const fleet of known.values()) fleet.beat()
  }
  const timer = setInterval(beatAll, BEAT_MS).unref()
  redis.on('ready', beatAll)
  redis.on('end', () => clearInterval(timer))
  return known
}
