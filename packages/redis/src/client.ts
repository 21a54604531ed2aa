import { Command } from 'ioredis'
import { slotOf } from './slot.js'

/** A command argument as ioredis takes it. */
export type RedisArgument = string | Buffer | number

/** The socket of a connection, as far as it is used here. */
export interface ClientStream {
  cork(): void
  uncork(): void
  /** Bytes that have come so far. */
  readonly bytesRead?: number
  destroy(): void
}

/** One connection: a standalone or Sentinel client, or one node of a Cluster client. */
export interface RedisConnection {
  /** `ready` when commands can be written. */
  readonly status: string
  readonly stream?: unknown
  info?(): Promise<unknown>
  once?(event: string, listener: () => void): unknown
}

/**
 * The shape of an ioredis 5 or 6 client, standalone, Sentinel or Cluster. The app makes it, keeps it and closes it;
 * the packages only send commands.
 */
export interface RedisClient extends RedisConnection {
  call(command: string, args: RedisArgument[]): Promise<unknown>
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>
  sendCommand?(command: never): unknown
  connect?(): Promise<unknown>
  /** @param reconnect  connect anew */
  disconnect?(reconnect?: boolean): void
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
  return slots?.[slotOf(keyPrefixOf(client) + key)]?.[0] ?? ''
}

function isClientStream(stream: unknown): stream is ClientStream {
  return typeof (stream as ClientStream | undefined)?.cork === 'function'
}

const connectionErrors = new WeakMap<RedisClient, Error>()

/** Keeps why a client has no connection, for those who ask it meanwhile. `undefined`: it has one again. */
export function rememberConnectionError(client: RedisClient, error: Error | undefined): void {
  if (error === undefined) connectionErrors.delete(client)
  else connectionErrors.set(client, error)
}

/** Why a client has no connection, as far as that is known: of those that `createRedis` makes. */
export function connectionErrorOf(client: RedisClient): Error | undefined {
  return connectionErrors.get(client)
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

/** What changes replies, or who is asked: of a client with one server and of the nodes of a Cluster. */
interface ReplySettings {
  readonly stringNumbers?: boolean
  readonly replyMapping?: string
}

/** What ioredis' clients carry along, and its types do not show. */
interface Internals {
  readonly options?: ReplySettings & {
    readonly keyPrefix?: string
    readonly scaleReads?: unknown
    readonly redisOptions?: ReplySettings
  }
  readonly constructor: { readonly Command?: typeof Command }
  duplicate?(...args: unknown[]): RedisClient
}

/** What a client puts before every key. */
function keyPrefixOf(client: RedisClient): string {
  return (client as unknown as Internals).options?.keyPrefix ?? ''
}

/**
 * Sends one command, past what an ioredis client may be set to do with its own: auto-pipelining would hold it for another turn, and
 * breaks commands whose replies are bytes.
 *
 * @param asBuffer  strings in the reply as Buffers
 */
export function sendCommand(
  client: RedisClient,
  command: string,
  args: RedisArgument[],
  asBuffer: boolean,
): Promise<unknown> {
  if (client.sendCommand === undefined) {
    return asBuffer ? client.callBuffer(command, args) : client.call(command, args)
  }
  const { constructor: its } = client as unknown as Internals
  const keyPrefix = keyPrefixOf(client)
  const made = new (its.Command ?? Command)(command, args, {
    replyEncoding: asBuffer ? null : 'utf8',
    ...(keyPrefix === '' ? {} : { keyPrefix }),
  })
  client.sendCommand(made as never)
  return made.promise
}

/**
 * A client whose replies are what the primary said. With `stringNumbers` a number cannot be told from a text any more, with
 * `replyMapping` a list is an object, with `scaleReads` a replica answers that may not have heard of the last write: such a client
 * gets another one beside it, which connects when it is used and ends with it.
 */
export function withPlainReplies(client: RedisClient): RedisClient {
  const { options = {}, duplicate } = client as unknown as Internals
  const isPlain =
    areRepliesPlain(options) &&
    areRepliesPlain(options.redisOptions ?? {}) &&
    (options.scaleReads ?? 'master') === 'master'
  if (isPlain || typeof duplicate !== 'function') return client
  const plain = client.isCluster
    ? duplicate.call(client, [], {
        lazyConnect: true,
        scaleReads: 'master',
        redisOptions: { ...options.redisOptions, ...PLAIN_REPLIES },
      })
    : duplicate.call(client, { lazyConnect: true, ...PLAIN_REPLIES })
  // Without a listener ioredis writes errors to the console; the app hears of them from its own client.
  plain.on('error', () => {})
  client.on('end', () => plain.disconnect?.())
  return plain
}

/** Settings with which replies are what the server said. */
export const PLAIN_REPLIES: ReplySettings = Object.freeze({ stringNumbers: false, replyMapping: 'legacy' })

function areRepliesPlain({ stringNumbers, replyMapping = 'legacy' }: ReplySettings): boolean {
  return !stringNumbers && replyMapping === 'legacy'
}
