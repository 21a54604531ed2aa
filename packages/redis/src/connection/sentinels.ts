import { Redis, type RedisOptions } from 'ioredis'
import type { RedisClient } from '../client.js'
import type { RedisAddress } from '../url.js'
import { endSilentHandshakes } from './handshake.js'

/** ioredis' options without what the type of a client depends on. */
export type PlainRedisOptions = Omit<RedisOptions, 'replyMapping'>

/** How to reach the Sentinels of one primary. */
export interface SentinelsOptions {
  readonly addresses: readonly RedisAddress[]
  /** Of the primary. */
  readonly name: string
  /** Of a connection to a Sentinel: user, password, TLS, connector, connect timeout. */
  readonly connection: PlainRedisOptions
  /** Longest wait for the answer of one Sentinel, in ms. */
  readonly timeoutMs: number
  /** How long it listens on when nobody is connected, in ms. */
  readonly lingerMs: number
  readonly retryDelayMs: (attempt: number) => number
  /** From an address that a Sentinel names to one that can be reached from here. */
  readonly mapped: (address: RedisAddress) => RedisAddress
}

interface Answer {
  readonly address: RedisAddress
  /** Grows with every fail-over. */
  readonly epoch: number
}

/** What one of them announced, and when it was heard. */
interface News extends Answer {
  readonly at: number
}

/** What ioredis' clients have and its types do not show. It goes to Sentinels only: no user of a Redis needs the right to it. */
interface SentinelCommands {
  sentinel(subcommand: string, name: string): Promise<unknown>
}

/** @param primary  the new one; `undefined`: another will be named in a moment */
type Listener = (primary: RedisAddress | undefined) => void

/**
 * A Sentinel names the new primary as soon as that says it is one (`+promoted-slave`, of the Sentinel that leads), which can be seconds
 * before it has told the replicas (`+switch-master`, of each).
 */
const NEWS = ['+promoted-slave', '+switch-master']
/**
 * What the Sentinel that leads says before it promotes a replica. From then on the old primary would acknowledge what nobody keeps:
 * Sentinels look whether a replica has become a primary once a second only, and name it then.
 */
const PROMOTION = '+failover-state-send-slaveof-noone'
/** How long the name of the new primary is waited for, in ms. */
const PROMOTION_MS = 3_000
/** How long the announcement of one Sentinel outweighs what the others still say, in ms: they tell each other every two seconds. */
const NEWS_MS = 10_000

/**
 * The Sentinels of one primary. All are asked at once, and of what most of them say the latest counts, so that one that hangs or
 * lags does no harm. As long as somebody is connected it listens to each of them for news.
 */
export class Sentinels {
  readonly #options: SentinelsOptions
  readonly #addresses: Map<string, RedisAddress>
  readonly #listeners = new Set<Listener>()
  readonly #hastened = new Set<() => void>()
  readonly #watches = new Map<string, Redis>()
  #news: News | undefined
  /** Ends when a primary is named that is newer, or has not been for too long. */
  #promotion: Promise<void> | undefined
  #endPromotion: (() => void) | undefined
  #linger: NodeJS.Timeout | undefined

  constructor(options: SentinelsOptions) {
    this.#options = options
    this.#addresses = new Map(options.addresses.map((address) => [textOf(address), address]))
  }

  /** @throws {Error} none knows it, or none answered in time; the message says what each said */
  async primary(): Promise<RedisAddress> {
    await this.#promotion
    const needed = Math.floor(this.#options.addresses.length / 2) + 1
    const answers: Answer[] = []
    const failures: string[] = []
    await new Promise<void>((resolve) => {
      let open = this.#addresses.size
      for (const sentinel of [...this.#addresses.values()]) {
        void this.#ask(sentinel)
          .then(
            (answer) => answers.push(answer),
            (error: Error) => failures.push(`${textOf(sentinel)}: ${error.message}`),
          )
          .then(() => {
            if (--open === 0 || answers.length >= needed) resolve()
          })
      }
    })
    if (this.#isFresh(this.#news)) answers.push(this.#news)
    if (answers.length === 0) {
      throw new Error(`No Sentinel names the primary (${failures.join('; ')})`)
    }
    return answers.reduce((latest, answer) => (answer.epoch > latest.epoch ? answer : latest)).address
  }

  /** @param listener  told when a Sentinel names a primary that is newer than what was known. @returns a function that ends it */
  watch(listener: Listener): () => void {
    this.#listeners.add(listener)
    clearTimeout(this.#linger)
    // What was heard since it asked.
    if (this.#isFresh(this.#news)) listener(this.#news.address)
    for (const sentinel of this.#addresses.values()) this.#listenTo(sentinel)
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      clearTimeout(this.#linger)
      this.#linger = setTimeout(() => this.#stop(), this.#options.lingerMs).unref()
    }
  }

  /** Has a client that waits to connect again do it at once when another primary is named; once for each. */
  hasten(client: Redis): void {
    let epoch: number | undefined
    const follow = (): void => {
      if (client.status !== 'reconnecting' || this.#news === undefined || this.#news.epoch === epoch) return
      epoch = this.#news.epoch
      client.connect().catch(() => {})
    }
    client.on('reconnecting', follow)
    this.#hastened.add(follow)
    client.once('end', () => this.#hastened.delete(follow))
  }

  #isFresh(news: News | undefined): news is News {
    return news !== undefined && performance.now() - news.at < NEWS_MS
  }

  #stop(): void {
    for (const watch of this.#watches.values()) watch.disconnect()
    this.#watches.clear()
  }

  #connect(sentinel: RedisAddress, options: PlainRedisOptions): Redis {
    const redis = new Redis({
      ...this.#options.connection,
      ...sentinel,
      protocol: 2,
      lazyConnect: true,
      enableReadyCheck: false,
      enableOfflineQueue: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      disconnectTimeout: 100,
      ...options,
    })
    // What is wrong is told by whoever asks.
    redis.on('error', () => {})
    return redis
  }

  async #ask(sentinel: RedisAddress): Promise<Answer> {
    const redis = this.#connect(sentinel, { retryStrategy: () => null })
    let failure: Error | undefined
    redis.on('error', (error) => {
      failure = error
    })
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      const late = (): void => reject(new Error(`no answer within ${this.#options.timeoutMs} ms`))
      timer = setTimeout(late, this.#options.timeoutMs)
    })
    const asked = redis.connect().then(() => this.#question(redis))
    try {
      return await Promise.race([asked, deadline])
    } catch (error) {
      throw failure ?? error
    } finally {
      clearTimeout(timer)
      asked.catch(() => {})
      redis.disconnect()
    }
  }

  async #question(redis: Redis & Partial<SentinelCommands>): Promise<Answer> {
    const { name, mapped } = this.#options
    const [named, primary, others] = await Promise.all([
      redis.sentinel!('GET-MASTER-ADDR-BY-NAME', name),
      redis.sentinel!('MASTER', name),
      redis.sentinel!('SENTINELS', name),
    ])
    const [host, port] = named as string[]
    for (const other of others as unknown[]) this.#learn(fieldsOf(other))
    return {
      address: mapped({ host: host!, port: Number(port) }),
      epoch: Number(fieldsOf(primary)['config-epoch']),
    }
  }

  /** Others are asked too, but nobody waits for them: they may be out of reach. */
  #learn({ ip, port, flags = '' }: Record<string, string>): void {
    if (!ip || !port || /down|disconnected/.test(flags)) return
    const sentinel = this.#options.mapped({ host: ip, port: Number(port) })
    if (this.#addresses.has(textOf(sentinel))) return
    this.#addresses.set(textOf(sentinel), sentinel)
    if (this.#listeners.size > 0) this.#listenTo(sentinel)
  }

  #listenTo(sentinel: RedisAddress): void {
    if (this.#watches.has(textOf(sentinel))) return
    const redis = this.#connect(sentinel, { retryStrategy: this.#options.retryDelayMs })
    this.#watches.set(textOf(sentinel), redis)
    endSilentHandshakes(redis as RedisClient, this.#options.timeoutMs)
    redis.on('connect', () => (redis as { stream?: { unref?(): void } }).stream?.unref?.())
    redis.on('ready', () => {
      // In one write, so that nothing can happen between the answer and the news.
      this.#question(redis).then(this.#hear, () => {})
      redis.subscribe(PROMOTION, ...NEWS).catch(() => {})
    })
    redis.on('message', (channel, text) => {
      if (!` ${text} `.includes(` ${this.#options.name} `)) return
      if (channel === PROMOTION) this.#awaitPromotion()
      else this.#ask(sentinel).then(this.#hear, () => {})
    })
    redis.connect().catch(() => {})
  }

  /** Nobody uses a primary any more that is about to be replaced. */
  #awaitPromotion(): void {
    this.#endPromotion?.()
    this.#promotion = new Promise((resolve) => {
      const timer = setTimeout(() => this.#endPromotion?.(), PROMOTION_MS)
      this.#endPromotion = () => {
        clearTimeout(timer)
        this.#promotion = undefined
        this.#endPromotion = undefined
        resolve()
      }
    })
    for (const listener of this.#listeners) listener(undefined)
  }

  readonly #hear = (answer: Answer): void => {
    if (this.#news !== undefined && answer.epoch < this.#news.epoch) return
    if (this.#news !== undefined && answer.epoch > this.#news.epoch) this.#endPromotion?.()
    this.#news = { ...answer, at: performance.now() }
    for (const listener of this.#listeners) listener(answer.address)
    for (const follow of this.#hastened) follow()
  }
}

function textOf({ host, port }: RedisAddress): string {
  return `${host}:${port}`
}

/** A reply of names and values as RESP2 has it: one flat list. */
function fieldsOf(reply: unknown): Record<string, string> {
  const list = reply as string[]
  const fields: Record<string, string> = {}
  for (let index = 0; index + 1 < list.length; index += 2) fields[list[index]!] = list[index + 1]!
  return fields
}
