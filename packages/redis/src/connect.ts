import { Cluster, Redis } from 'ioredis'
import { connectionErrorChannel } from './channels.js'
import { connectionErrorOf, rememberConnectionError } from './client.js'
import { type ConnectorOptions, directConnector, sentinelConnector } from './connection/connectors.js'
import { type PlainRedisOptions, Sentinels } from './connection/sentinels.js'
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
  const onError = (error: Error): void => hearError(client, error)
  const connector: ConnectorOptions = { dnsLookup: resolved.dnsLookup, onError }
  const make = target.kind === 'cluster' ? cluster : target.kind === 'sentinel' ? bySentinels : single
  const client: Redis | Cluster = make(target, resolved, connector)
  client.on('ready', () => rememberConnectionError(client, undefined))
  client.on('error', onError)
  storeGuard(client, guard)
  return client
}

/** An error may be told twice, by the socket and by the client that had it; that of the socket is the cause of the others. */
function hearError(client: Redis | Cluster, error: Error): void {
  const known = connectionErrorOf(client)
  if (error === known) return
  const isEcho = error.message === 'Connection is closed.' || 'lastNodeError' in error
  if (known === undefined || !isEcho) rememberConnectionError(client, error)
  if (connectionErrorChannel.hasSubscribers) connectionErrorChannel.publish({ error })
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

function single(target: RedisTarget, options: Resolved, connector: ConnectorOptions): Redis {
  return new Redis({
    ...connectionOptions(target, options, connector),
    ...target.addresses[0]!,
    db: target.db,
    retryStrategy: reconnectDelay(options),
  })
}

function bySentinels(target: RedisTarget, options: Resolved, connector: ConnectorOptions): Redis {
  const retryStrategy = reconnectDelay(options)
  const sentinels = sentinelsOf(target, options)
  const client = new Redis({
    ...connectionOptions(target, options, connector),
    Connector: sentinelConnector(sentinels, retryStrategy, connector),
    db: target.db,
    retryStrategy,
  })
  sentinels.hasten(client)
  return client
}

function sentinelsOf(target: RedisTarget, options: Resolved): Sentinels {
  const { sentinel, natMap, connectTimeoutMs, maxReconnectDelayMs, dnsLookup } = options
  const username = sentinel?.username ?? target.sentinelUsername
  const password = sentinel?.password ?? target.sentinelPassword
  return new Sentinels({
    addresses: target.addresses,
    name: target.name!,
    timeoutMs: connectTimeoutMs,
    lingerMs: 2 * maxReconnectDelayMs,
    retryDelayMs: reconnectDelay(options),
    mapped: (address) => natMap?.[`${address.host}:${address.port}`] ?? address,
    connection: {
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(sentinel?.tls === undefined ? {} : { tls: sentinel.tls }),
      // What is wrong with one of them is no error of the client, as long as another one answers.
      Connector: directConnector({ dnsLookup, onError: () => {} }),
      family: options.family ?? target.family ?? 0,
      connectTimeout: connectTimeoutMs,
      keepAlive: KEEP_ALIVE_MS,
    },
  })
}

function cluster(target: RedisTarget, options: Resolved, connector: ConnectorOptions): Cluster {
  return new Cluster(target.addresses, {
    redisOptions: connectionOptions(target, options, connector),
    enableOfflineQueue: false,
    // Names stay names, so that certificates can be held against them: the sockets resolve them.
    dnsLookup: (name, callback) => callback(null, name),
    ...(options.natMap === undefined ? {} : { natMap: options.natMap }),
    // With either delay ioredis sends a command again whose fate it does not know.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: options.connectTimeoutMs,
    slotsRefreshInterval: 5_000,
    clusterRetryStrategy: reconnectDelay(options),
  })
}

const KEEP_ALIVE_MS = 10_000

function connectionOptions(
  target: RedisTarget,
  options: Resolved,
  connector: ConnectorOptions,
): PlainRedisOptions {
  return {
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.tls ? { tls: options.tls } : {}),
    ...(options.connectionName === undefined ? {} : { connectionName: options.connectionName }),
    Connector: directConnector(connector),
    family: options.family ?? target.family ?? 0,
    connectTimeout: options.connectTimeoutMs,
    // A peer that vanished answers no farewell either.
    disconnectTimeout: 500,
    keepAlive: KEEP_ALIVE_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  }
}

function reconnectDelay({ maxReconnectDelayMs }: Resolved): (attempt: number) => number {
  return (attempt) => reconnectDelayMs(attempt, maxReconnectDelayMs)
}

/** Full jitter: anything up to an exponentially growing bound, so that a fleet does not return in step. */
function reconnectDelayMs(attempt: number, maxMs: number): number {
  return Math.ceil(Math.random() * Math.min(maxMs, 50 * 2 ** Math.min(attempt, 16)))
}
