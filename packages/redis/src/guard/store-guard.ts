import { InvalidOption } from '@scale/core'
import { type RedisClient, redisClient } from '../client.js'
import { type GuardOptions, resolveGuardOptions } from '../options.js'
import { GuardedClient } from './guarded-client.js'
import type { StoreGuard } from './port.js'

const guards = new WeakMap<RedisClient, GuardedClient>()

/**
 * The guard of a client: always the same one for the same client, whoever asks.
 *
 * @param client   an ioredis client, standalone, Sentinel or Cluster
 * @param options  only where the client is made: a second set for the same client is refused
 * @throws {InvalidOption} not a client; an option is wrong; the guard exists and options were given again
 */
export function storeGuard(client: RedisClient, options?: GuardOptions): StoreGuard {
  const existing = guards.get(client)
  if (existing !== undefined) {
    if (options !== undefined) {
      throw new InvalidOption(
        'storeGuard: this client has a guard already. Give its options before the first use.',
      )
    }
    return existing
  }
  const wanted = redisClient(client)
  if (wanted !== undefined) throw new InvalidOption(`storeGuard: the client must be ${wanted}.`)
  const guard = new GuardedClient(client, resolveGuardOptions(options))
  guards.set(client, guard)
  return guard
}
