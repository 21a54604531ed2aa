import { anyOf, func, InvalidOption, integer, type OptionChecks, resolveOptions } from '@scale/core'
import { type RedisClient, redisClient } from '@scale/redis'
import { adaptNodeRedis, isNodeRedis, type NodeRedisClient } from './node-redis.js'

/** What `RedisStore` takes: the options of connect-redis that mean something here, and no others. */
export interface RedisStoreOptions {
  /** An ioredis client, standalone, Sentinel or Cluster; or a connected node-redis client, standalone. */
  client: RedisClient | NodeRedisClient
  /** Sets apps on one Redis apart. Where connect-redis kept its sessions, so that they can be taken over. Default `sess:` */
  prefix?: string
  /** How long a session without `cookie.maxAge` lasts after its last use, in s; or a function of the session. Default 86,400 */
  ttl?: number | ((session: Record<string, unknown>) => number)
  /** Uses that change nothing do not prolong a session. Default false */
  disableTouch?: boolean
  /** Sessions that connect-redis stored under the same prefix are taken over at their next use. Default true */
  takeOver?: boolean
}

/** The defaults of {@link RedisStoreOptions}. */
export const redisStoreDefaults: Readonly<
  Required<Pick<RedisStoreOptions, 'prefix' | 'ttl' | 'disableTouch' | 'takeOver'>>
> = Object.freeze({ prefix: 'sess:', ttl: 86_400, disableTouch: false, takeOver: true })

const flag = (value: unknown): string | undefined =>
  typeof value === 'boolean' ? undefined : 'true or false'

const checks: OptionChecks<RedisStoreOptions> = {
  client: (value) =>
    isNodeRedis(value)
      ? undefined
      : redisClient(value) && 'an ioredis client, or a node-redis client (no Cluster)',
  prefix: (value) =>
    typeof value === 'string' && /^[\w.:-]{1,64}$/.test(value)
      ? undefined
      : '1 to 64 letters, digits, dots, colons, underscores or hyphens',
  ttl: anyOf(integer(1, 315_360_000), func),
  disableTouch: flag,
  takeOver: flag,
}

/** @throws {InvalidOption} an option is wrong, or one of connect-redis that has no meaning here */
export function resolveRedisStoreOptions(
  options: RedisStoreOptions,
): Required<Omit<RedisStoreOptions, 'client'>> & { redis: RedisClient } {
  const resolved = resolveOptions('RedisStore', options, {
    checks,
    defaults: redisStoreDefaults,
    required: ['client'],
  })
  const { client, prefix = 'sess:', ttl = 86_400, disableTouch = false, takeOver = true } = resolved
  if (client === undefined) throw new InvalidOption('RedisStore: `client` is required.')
  return { redis: isNodeRedis(client) ? adaptNodeRedis(client) : client, prefix, ttl, disableTouch, takeOver }
}
