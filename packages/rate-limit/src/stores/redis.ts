import { type OperationOptions, type RedisClient, type StoreGuard, storeGuard } from '@scale/redis'
import type { AlgorithmName } from '../algorithms/index.js'
import { adjustScript, consumeScript } from '../algorithms/lua/scripts.js'
import { UnreadableQuota } from '../errors.js'
import type { Charge, QuotaStore, Settlement, StoreReply } from '../store.js'
import { Blocks } from './blocks.js'
import { bySlot, type Gathered, isEqual, runsOf, runText, ScriptReply, share } from './gathered.js'

/** How many requests one call of the script decides on, at most: the server does nothing else meanwhile. */
const BATCH = 64

/**
 * Keeps quotas in Redis, shared by all processes; by the server's clock.
 *
 * What is asked for in one turn of the event loop is decided by one script call, or by one per hash slot in a Cluster;
 * equal requests in it become one with a count. So nothing waits for the sake of gathering, and a busy process sends
 * few commands. A refusal is remembered for up to a second, and then costs no command at all.
 */
export class RedisStore implements QuotaStore {
  readonly #guard: StoreGuard
  readonly #isCluster: boolean
  readonly #options: OperationOptions
  readonly #binary: OperationOptions
  readonly #blocks = new Blocks()
  readonly #algorithms = new Set<AlgorithmName>()
  #gathered = new Map<string, Gathered>()

  /**
   * @param redis  the app's client
   * @param options  how long answers are waited for. Default: as those do who can do without
   */
  constructor(redis: RedisClient, options: OperationOptions = {}) {
    this.#guard = storeGuard(redis)
    this.#isCluster = redis.isCluster ?? false
    this.#options = options
    this.#binary = { ...options, asBuffer: true }
  }

  consume(charges: readonly Charge[], count: number, divisor: number): StoreReply | Promise<StoreReply> {
    const refused = count > 0 ? this.#blocks.find(charges, performance.now()) : undefined
    return refused ?? this.#gather(charges, count, divisor)
  }

  #gather(charges: readonly Charge[], count: number, divisor: number): Promise<StoreReply> {
    return new Promise((resolve, reject) => {
      const waiting = { count, resolve, reject }
      const { key } = charges[0]!
      const known = this.#gathered.get(key)
      if (known !== undefined && isEqual(known, charges, count, divisor)) {
        known.count += count
        known.waiting.push(waiting)
        return
      }
      if (this.#gathered.size === 0) this.#guard.beforeWrite(this.#send)
      // Under its own name only what another may join; the others need a name that is nobody's.
      const name = known === undefined ? key : `${this.#gathered.size} ${key}`
      this.#gathered.set(name, { charges, divisor, count, waiting: [waiting] })
    })
  }

  async settle(settlements: readonly Settlement[]): Promise<void> {
    for (const { key } of settlements) this.#blocks.delete(key)
    await this.#adjust(settlements, ({ quota, units, windowId }) =>
      units > 0 ? `charge ${quota.text} ${units}` : `refund ${quota.text} ${-units} ${windowId}`,
    )
  }

  async penalize(charges: readonly Charge[], blockMs: number): Promise<void> {
    for (const { key } of charges) this.#blocks.delete(key)
    await this.#adjust(charges, ({ quota }) => `penalize ${quota.text} ${blockMs}`)
  }

  async reset(charges: readonly Charge[]): Promise<void> {
    const keys = charges.map(({ key }) => key)
    for (const key of keys) this.#blocks.delete(key)
    await this.#guard.call('del', keys, this.#options)
  }

  async #adjust<Item extends Pick<Charge, 'key' | 'quota'>>(
    items: readonly Item[],
    argument: (item: Item) => string,
  ): Promise<void> {
    const script = adjustScript(new Set(items.map(({ quota }) => quota.algorithm)))
    const keys = items.map(({ key }) => key)
    await this.#guard.run(script, keys, items.map(argument), this.#options)
  }

  readonly #send = (): void => {
    const all = [...this.#gathered.values()]
    this.#gathered = new Map()
    const groups = this.#isCluster ? bySlot(all) : [all]
    for (const group of groups) {
      for (let start = 0; start < group.length; start += BATCH) {
        this.#decide(group.length <= BATCH ? group : group.slice(start, start + BATCH))
      }
    }
  }

  #decide(batch: readonly Gathered[]): void {
    const keys: string[] = []
    for (const { charges } of batch) for (const { key } of charges) keys.push(key)
    const runs = runsOf(batch)
    for (const { first } of runs) for (const { quota } of first.charges) this.#algorithms.add(quota.algorithm)
    const askedAt = performance.now()
    this.#guard.run(consumeScript(this.#algorithms), keys, runs.map(runText), this.#binary).then(
      (reply) => this.#answer(batch, new ScriptReply(reply as Buffer), askedAt),
      (error: unknown) => {
        for (const { waiting } of batch) for (const { reject } of waiting) reject(error)
      },
    )
  }

  /** Hands each request its part of the reply. */
  #answer(batch: readonly Gathered[], reply: ScriptReply, askedAt: number): void {
    const nowMs = performance.now()
    for (const gathered of batch) {
      const granted = reply.number()
      if (granted === -1) {
        for (const { reject } of gathered.waiting) reject(new UnreadableQuota())
        continue
      }
      const balances = reply.balances(gathered.charges.length)
      if (granted < gathered.count) this.#blocks.add(gathered.charges, balances, askedAt, nowMs)
      share(gathered, granted, balances)
    }
  }
}

const stores = new WeakMap<RedisClient, Map<string, RedisStore>>()

/**
 * The store of a client: limiters that use the same client, and wait for it as long, share one, and so what it remembers and what
 * it sends.
 *
 * @param patience  `long` where it would be refused without an answer
 */
export function redisStore(
  redis: RedisClient,
  deadlineMs: number | undefined,
  patience: 'short' | 'long' = 'short',
): RedisStore {
  let known = stores.get(redis)
  if (known === undefined) {
    known = new Map()
    stores.set(redis, known)
  }
  const name = deadlineMs === undefined ? patience : String(deadlineMs)
  let store = known.get(name)
  if (store === undefined) {
    store = new RedisStore(redis, deadlineMs === undefined ? { patience } : { deadlineMs })
    known.set(name, store)
  }
  return store
}
