import { createRequire } from 'node:module'
import { createRedis, whenReady } from '@scale/redis'
import type { Redis } from 'ioredis'
import { type ExpressRateLimitStore, expressRateLimitStore } from '../../src/index.js'

// Runs outside of the tests' own world, whose timers and clock are made up: there our store could not reach a server.

/**
 * How much longer a window is in Redis than the tests say: they have windows of 10 ms, which a busy machine passes by. Where they let
 * time pass, every key is brought nearer to its end.
 */
const STRETCH = 1_000

const PASS = `
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local left = redis.call('PTTL', key)
    if left > 0 then redis.call('PEXPIRE', key, left - ARGV[1]) end
  end
until cursor == '0'`

interface Hits {
  totalHits: number
  /** In ms since 1970: a date of this world is none of theirs. */
  resetAt: number
}

let stores = 0

/** What the tests' own world is given. */
class Ours {
  readonly #redis: Redis
  readonly #keys = new Map<string, (key: string) => string>()
  #time: Promise<unknown> = Promise.resolve()

  constructor(redis: Redis) {
    this.#redis = redis
  }

  pass(ms: number): void {
    this.#time = this.#time.then(() => this.#redis.eval(PASS, 0, ms * STRETCH))
  }

  /** @param name  the prefix that they give it; in Redis each has one of its own, as in theirs each has its own memory or is wiped */
  open(name: string) {
    const prefix = `store-${++stores}`
    const store: ExpressRateLimitStore = expressRateLimitStore({
      redis: this.#redis,
      prefix,
      deadlineMs: 5_000,
    })
    const after = async <Value>(ask: () => Promise<Value>): Promise<Value> => {
      await this.#time
      return ask()
    }
    const hits = (given: { totalHits: number; resetTime: Date }): Hits => ({
      totalHits: given.totalHits,
      resetAt: Date.now() + Math.ceil((given.resetTime.getTime() - Date.now()) / STRETCH),
    })
    return {
      prefix,
      localKeys: store.localKeys,
      init: ({ windowMs }: { windowMs: number }): void => {
        store.init({ windowMs: windowMs * STRETCH })
        this.#keys.set(
          name,
          (key) => `${prefix}:rate-limit:1:express-rate-limit:{${key}}:${windowMs * STRETCH}`,
        )
      },
      increment: (key: string) => after(async () => hits(await store.increment(key))),
      decrement: (key: string) => after(() => store.decrement(key)),
      resetKey: (key: string) => after(() => store.resetKey(key)),
      get: (key: string) =>
        after(async () => {
          const found = await store.get(key)
          return found && hits(found)
        }),
    }
  }

  /** What Redis holds under a name of theirs: a prefix and a key. */
  async look(name: string): Promise<{ value: string | null; ttlMs: number }> {
    await this.#time
    const [prefix, keyOf] = [...this.#keys].find(([one]) => name.startsWith(one))!
    const key = keyOf(name.slice(prefix.length))
    return {
      value: await this.#redis.get(key),
      ttlMs: Math.ceil((await this.#redis.pttl(key)) / STRETCH),
    }
  }
}

interface NodeEnvironment {
  global: Record<string, unknown>
  fakeTimersModern: { advanceTimersByTime(ms: number): void }
  setup(): Promise<void>
  teardown(): Promise<void>
}

const inCheckout = createRequire(createRequire(`${process.env.CONFORMANCE_CHECKOUT}/`).resolve('jest'))
const inCli = createRequire(inCheckout.resolve('@jest/core'))
const Environment: new (...args: unknown[]) => NodeEnvironment =
  inCli('jest-environment-node').TestEnvironment

export default class OurEnvironment extends Environment {
  readonly #redis = createRedis(process.env.CONFORMANCE_REDIS_URL, { guard: { deadlineMs: 5_000 } }) as Redis

  override async setup(): Promise<void> {
    await super.setup()
    await whenReady(this.#redis, 5_000)
    const ours = new Ours(this.#redis)
    this.global.ours = ours
    const advance = this.fakeTimersModern.advanceTimersByTime.bind(this.fakeTimersModern)
    this.fakeTimersModern.advanceTimersByTime = (ms) => {
      ours.pass(ms)
      advance(ms)
    }
  }

  override async teardown(): Promise<void> {
    this.#redis.disconnect()
    await super.teardown()
  }
}
