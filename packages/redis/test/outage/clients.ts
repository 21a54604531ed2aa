import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import {
  createRedis,
  type GuardOptions,
  type RedisClient,
  type RedisConnection,
  type StoreGuard,
  storeGuard,
} from '../../src/index.js'

/** A client under test with its guard. */
export interface GuardedClient {
  readonly client: RedisClient & { disconnect(): void }
  readonly guard: StoreGuard
}

const RECONNECT_MS = 50

/** What an app sets that makes its own ioredis 5 client. */
const ownOptions = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 2_000,
  retryStrategy: () => RECONNECT_MS,
  sentinelRetryStrategy: () => RECONNECT_MS,
}

/** The same server by way of `createRedis` (ioredis 6) and of an app's own ioredis 5 client. */
export function bothClients(url: string, options: GuardOptions = {}): GuardedClient[] {
  return [six(url, options), five(new Redis5(url, ownOptions), options)]
}

export function bothSentinelClients(url: string): GuardedClient[] {
  const { sentinels, name } = /\/\/(?<sentinels>[^/]+)\/(?<name>.+)$/.exec(url)!.groups!
  return [six(url), five(new Redis5({ ...ownOptions, sentinels: addresses(sentinels!), name: name! }))]
}

export function bothClusterClients(url: string): GuardedClient[] {
  const nodes = addresses(url.slice(url.indexOf('//') + 2))
  const own = new Cluster5(nodes, {
    redisOptions: ownOptions,
    enableOfflineQueue: false,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshInterval: 5_000,
  })
  return [six(url), five(own)]
}

function six(url: string, guard: GuardOptions = {}): GuardedClient {
  const client = createRedis(url, { guard })
  return { client, guard: storeGuard(client) }
}

function five(client: Redis5 | Cluster5, options: GuardOptions = {}): GuardedClient {
  // As `createRedis` does: without a listener ioredis writes to the console.
  client.on('error', () => {})
  return { client, guard: storeGuard(client, options) }
}

/** The port of a Cluster client's connection to a node. */
export function portOf(node: RedisConnection): number {
  return (node as { options?: { port?: number } }).options?.port ?? 0
}

function addresses(hosts: string): { host: string; port: number }[] {
  return hosts.split(',').map((address) => {
    const [host, port] = address.split(':')
    return { host: host!, port: Number(port) }
  })
}
