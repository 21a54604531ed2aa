import { PLAIN_REPLIES, type RedisArgument, type RedisClient } from '../client.js'
import { endSilentHandshakes } from '../connection/handshake.js'

/** A connection that belongs to a channel alone. An ioredis client with one server, or a Cluster client. */
export interface OwnConnection {
  readonly status: string
  call(command: string, args: RedisArgument[]): Promise<unknown>
  connect(): Promise<void>
  disconnect(reconnect?: boolean): void
  on(event: string, listener: (...args: never[]) => void): unknown
}

/** How long a server may say nothing while it is connected to, in ms: as long as later on this connection. */
const SILENT_HANDSHAKE_MS = 5_000

interface Duplicable {
  duplicate?(...args: unknown[]): OwnConnection
  options?: { keyPrefix?: string; redisOptions?: { keyPrefix?: string } }
}

/**
 * A connection like the client's, for blocking reads.
 *
 * @returns `undefined` if the client cannot be duplicated, or renames keys (`keyPrefix`): the names that the log tells
 * would not be those that the packages use
 */
export function ownConnection(client: RedisClient): OwnConnection | undefined {
  const { duplicate, options: own } = client as Duplicable
  if (typeof duplicate !== 'function' || own?.keyPrefix || own?.redisOptions?.keyPrefix) return undefined
  const common = { lazyConnect: true, enableOfflineQueue: false, enableAutoPipelining: false }
  const options = {
    ...common,
    ...PLAIN_REPLIES,
    protocol: 2,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectionName: 'scale-invalidation',
  }
  const connection = client.isCluster
    ? duplicate.call(client, [], {
        ...common,
        scaleReads: 'master',
        redisOptions: { ...own?.redisOptions, ...PLAIN_REPLIES, protocol: 2 },
      })
    : duplicate.call(client, options)
  // Without a listener ioredis writes errors to the console; the app hears of them from its own client.
  connection.on('error', () => {})
  endSilentHandshakes(connection as unknown as RedisClient, SILENT_HANDSHAKE_MS)
  return connection
}

/** The reply, or an error if there is none in time: a peer that vanished without a word never closes its connection. */
export function answered(
  connection: OwnConnection,
  command: string,
  args: RedisArgument[],
  withinMs: number,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // What is readable is read first: this process may have been the one that stood still.
    const timer = setTimeout(() => setImmediate(() => reject(new Error('no answer'))), withinMs).unref()
    connection
      .call(command, args)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer))
  })
}
