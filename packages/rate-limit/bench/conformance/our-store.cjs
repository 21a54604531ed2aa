// Stands where the tests import their own store: `MemoryStore` of express-rate-limit, `RedisStore` of rate-limit-redis.

class OurStore {
  #store

  constructor({ prefix = 'rl:' } = {}) {
    this.#store = globalThis.ours.open(prefix)
    this.prefix = this.#store.prefix
    this.localKeys = this.#store.localKeys
  }

  init(options) {
    this.#store.init(options)
  }

  async increment(key) {
    return toHits(await this.#store.increment(key))
  }

  async decrement(key) {
    await this.#store.decrement(key)
  }

  async resetKey(key) {
    await this.#store.resetKey(key)
  }

  async get(key) {
    return toHits(await this.#store.get(key))
  }
}

function toHits(found) {
  return found && { totalHits: found.totalHits, resetTime: new Date(found.resetAt) }
}

module.exports = { __esModule: true, default: OurStore, MemoryStore: OurStore, RedisStore: OurStore }
