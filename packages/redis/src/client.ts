import { slotOf } from './slot.js'

/** A command argument as ioredis takes it. */
export type RedisArgument = string | Buffer | number

/** The socket of a connection, as far as it is used here. */
export interface ClientStream {
  cork(): void
  uncork(): void
  destroy(): void
}

/** One connection: a standalone or Sentinel client, or one node of a Cluster client. */
export interface RedisConnection {
  /** `ready` when commands can be written. */
  readonly status: string
  readonly stream?: unknown
}

/**
 * The shape of an ioredis 5 or 6 client, standalone, Sentinel or Cluster. The app makes it, keeps it and closes it;
 * the packages only send commands.
 */
export interface RedisClient extends RedisConnection {
  call(command: string, args: RedisArgument[]): Promise<unknown>
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>
  on(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
  readonly isCluster?: boolean
  /** Cluster only. */
  nodes?(role?: 'all' | 'master' | 'slave'): RedisConnection[]
}

/**
 * The connections that a client writes to at this moment.
 *
 * @param node  `host:port`: only that node of a Cluster
 */
export function connectionsOf(client: RedisClient, node?: string): readonly RedisConnection[] {
  if (!client.isCluster) return [client]
  const all = client.nodes?.('all') ?? []
  return node === undefined ? all : all.filter((connection) => addressOf(connection) === node)
}

function addressOf(connection: RedisConnection): string {
  const { options } = connection as { options?: { host?: string; port?: number } }
  return `${options?.host}:${options?.port}`
}

/** The sockets of connections, where there are any. */
export function streamsOf(connections: readonly RedisConnection[]): ClientStream[] {
  return connections.map((connection) => connection.stream).filter(isClientStream)
}

/** `host:port` of the node that holds a key, as far as a Cluster client knows; empty for any other client. */
export function nodeOf(client: RedisClient, key: string): string {
  const { slots } = client as { slots?: readonly (readonly string[] | undefined)[] }
  return slots?.[slotOf(key)]?.[0] ?? ''
}

function isClientStream(stream: unknown): stream is ClientStream {
  return typeof (stream as ClientStream | undefined)?.cork === 'function'
}

/** Checks an option that takes a client: `undefined` if the value has a client's shape. */
export function redisClient(value: unknown): string | undefined {
  const client = value as Partial<RedisClient> | null
  const isClient =
    typeof client === 'object' &&
    client !== null &&
    typeof client.call === 'function' &&
    typeof client.callBuffer === 'function' &&
    typeof client.status === 'string'
  return isClient ? undefined : 'an ioredis client (`new Redis(…)`, `new Cluster(…)` or `createRedis(…)`)'
}
