// Stands where the tests of rate-limit-redis import the client by which they look into Redis.

module.exports = class Client {
  async get(name) {
    return (await globalThis.ours.look(name)).value
  }

  async pttl(name) {
    return (await globalThis.ours.look(name)).ttlMs
  }

  async flushall() {}
}
