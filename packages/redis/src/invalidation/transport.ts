import type { RedisArgument } from '../client.js'

/** By which means a channel hears of invalidations. */
export type InvalidationMode = 'tracking' | 'stream' | 'pubsub'

/** A connection that belongs to a channel alone. An ioredis client with one server, or a Cluster client. */
export interface OwnConnection {
  readonly status: string
  call(command: string, args: RedisArgument[]): Promise<unknown>
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>
  subscribe(channel: string): Promise<unknown>
  ping(): Promise<unknown>
  connect(): Promise<void>
  disconnect(reconnect?: boolean): void
  on(event: string, listener: (...args: never[]) => void): unknown
}

/** Who is told. */
export interface Receiver {
  /** These keys have changed. */
  onKeys(keys: readonly string[]): void
  /** Anything may have changed. */
  onLoss(): void
}

/** One way to hear of invalidations. It is armed again after each reconnect. */
export interface Transport {
  readonly mode: InvalidationMode
  /**
   * Begins to listen on a connection that is ready. What was heard before is not repeated, unless it says so.
   *
   * @returns whether nothing was missed since it was armed before
   * @throws ReplyError: the server does not allow it
   */
  arm(connection: OwnConnection, prefixes: readonly string[], receiver: Receiver): Promise<boolean>
  /**
   * Resolves when everything that happened before the call has been handed to the receiver.
   *
   * @param waitMs  how long it may wait in the server for news
   */
  prove(connection: OwnConnection, receiver: Receiver, waitMs: number): Promise<void>
}
