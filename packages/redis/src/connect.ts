import { Cluster, Redis } from 'ioredis'
import { connectionErrorChannel } from './channels.js'
import { connectionErrorOf, rememberConnectionError } from './client.js'
import { storeGuard } from './guard/store-guard.js'
import { type CreateRedisOptions, resolveCreateRedisOptions } from './options.js'
import { parseRedisUrl, type RedisTarget } from './url.js'

/**
 * Makes an ioredis client for request-bound work, and its store guard.
 *
 * Nothing waits in a queue, nothing is sent twice, and the client reconnects for ever, at random intervals that grow
 * to `maxReconnectDelayMs`. It returns at once, also while Redis is away: an app starts without it, and heals.
 * Connection errors go to `scale:redis:connection-error`, not to the console. Close it with `quit()` or `disconnect()`.
 *
 * Do not use it for blocking commands or subscriptions: those need a connection of their own (`redis.duplicate()`).
 *
 * @param url  `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`. Default `redis://127.0.0.1:6379`
 * @throws {InvalidRedisUrl} the URL cannot be read
 * @throws {InvalidOption} an option is wrong
 */
export function createRedis(
  url: string = 'redis://127.0.0.1:6379',
  options?: CreateRedisOptions,
): Redis | Cluster {
  const { guard, ...resolved } = resolveCreateRedisOptions(options)
  const target = parseRedisUrl(url)
  const client = target.kind === 'cluster' ? cluster(target, resolved) : single(target, resolved)
  client.on('ready', () => rememberConnectionError(client, undefined))
  client.on('error', (error) => {
    rememberConnectionError(client, error)
    if (connectionErrorChannel.hasSubscribers) connectionErrorChannel.publish({ error })
  })
  storeGuard(client, guard)
  return client
}

/**
 * Waits until a client can be used, but not for ever.
 *
 * @param timeoutMs  longest wait, in ms
 * @returns false if it is not ready by then; an app may start all the same, and `connectionError(client)` tells why
 */
export async function whenReady(client: Redis | Cluster, timeoutMs: number): Promise<boolean> {
  if (client.status === 'ready') return true
  return new Promise((resolve) => {
    const end = (isReady: boolean): void => {
      clearTimeout(timer)
      client.off('ready', onReady)
      resolve(isReady)
    }
    const onReady = (): void => end(true)
    const timer = setTimeout(() => end(false), timeoutMs)
    client.on('ready', onReady)
  })
}

/** Why a client of `createRedis` has no connection; `undefined` if it has one, or is just connecting for the first time. */
export function connectionError(client: Redis | Cluster): Error | undefined {
  return connectionErrorOf(client)
}

type Resolved = Omit<ReturnType<typeof resolveCreateRedisOptions>, 'guard'>

function single(target: RedisTarget, options: Resolved): Redis {
  const reconnect = (attempt: number): number => reconnectDelayMs(attempt, options.maxReconnectDelayMs)
  const where = target.kind === 'sentinel' ? sentinels(target, options) : target.addresses[0]!
  return new Redis({
    ...connectionOptions(target, options),
    ...where,
    db: target.db,
    retryStrategy: reconnect,
    sentinelRetryStrategy: reconnect,
  })
}

/**
 * The primary is followed: sentinels tell at once when it is another one (`failoverDetector`), a server is left that is not what it
 * should be (ioredis looks at its role), and a sentinel that accepts and says nothing is passed over.
 */
function sentinels(target: RedisTarget, { sentinel, natMap, connectTimeoutMs }: Resolved) {
  const username = sentinel?.username ?? target.sentinelUsername
  const password = sentinel?.password ?? target.sentinelPassword
  return {
    sentinels: target.addresses,
    name: target.name!,
    enableTLSForSentinelMode: target.tls,
    failoverDetector: true,
    sentinelCommandTimeout: connectTimeoutMs,
    ...(username === undefined ? {} : { sentinelUsername: username }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
    ...(sentinel?.tls === undefined ? {} : { sentinelTLS: sentinel.tls }),
    ...(natMap === undefined ? {} : { natMap }),
  }
}

/** Names stay names, so that certificates can be held against them. */
const keptName: NonNullable<CreateRedisOptions['dnsLookup']> = (name, callback) => callback(null, name)

function cluster(target: RedisTarget, options: Resolved): Cluster {
  return new Cluster(target.addresses, {
    redisOptions: connectionOptions(target, options),
    enableOfflineQueue: false,
    ...(target.tls || options.dnsLookup ? { dnsLookup: options.dnsLookup ?? keptName } : {}),
    ...(options.natMap === undefined ? {} : { natMap: options.natMap }),
    // With either delay ioredis sends a command again whose fate it does not know.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: options.connectTimeoutMs,
    slotsRefreshInterval: 5_000,
    clusterRetryStrategy: (attempt) => reconnectDelayMs(attempt, options.maxReconnectDelayMs),
  })
}

function connectionOptions(target: RedisTarget, options: Resolved) {
  return {
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.tls ? { tls: options.tls } : {}),
    ...(options.connectionName === undefined ? {} : { connectionName: options.connectionName }),
    family: options.family ?? target.family ?? 0,
    connectTimeout: options.connectTimeoutMs,
    // A peer that vanished answers no farewell either.
    disconnectTimeout: 500,
    keepAlive: 10_000,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  }
}

/** Full jitter: anything up to an exponentially growing bound, so that a fleet does not return in step. */
function reconnectDelayMs(attempt: number, maxMs: number): number {
  return Math.ceil(Math.random() * Math.min(maxMs, 50 * 2 ** Math.min(attempt, 16)))
}
