import type { RedisArgument } from '../client.js'
import type { Script } from '../script.js'
import type { BreakerState } from './breaker-state.js'

/** What a caller may say about one operation. */
export interface OperationOptions {
  /**
   * How long the reply is waited for: `short` (the guard's `deadlineMs`) by those who can do without, `long` (`patienceMs`) by those
   * who would have to refuse. Default `short`
   */
  patience?: 'short' | 'long'
  /** Longest wait for the reply, in ms, whatever `patience` says. Default: as that says */
  deadlineMs?: number
  /** Strings in the reply as Buffers. Default false */
  asBuffer?: boolean
}

/**
 * Stands between a package and a Redis client, so that no request ever waits on Redis longer than its deadline.
 *
 * - Each operation ends by its deadline. A stalled event loop is not a fault: what is readable is read first.
 * - Nothing is queued: if the client is not ready the operation fails at once, and so it does while the breaker is open. A client
 *   that was made not to connect by itself is connected, and the first operations wait for that.
 * - The breaker opens when a server that was asked says nothing at all for `silenceMs`, or the connection is lost. Whatever comes
 *   closes it at once, a late answer too. In a Cluster each node has its own, so that the loss of one does not take the others'
 *   slots along.
 * - A server that says that it is a replica is left: the client connects anew.
 * - Commands of one turn of the event loop leave in one write.
 * - Nothing is repeated, except a script that the server did not know (NOSCRIPT): that one did not run.
 * - Replies that come after their deadline are dropped and reported on `scale:redis:late-reply`.
 */
export interface StoreGuard {
  /**
   * False if an operation would fail at once. Costs a comparison.
   *
   * @param key  which node of a Cluster is meant; without it, whether any may be asked
   */
  available(key?: string): boolean
  /**
   * Sends one command.
   *
   * @param command  in lower case
   * @param args     the first key first, where the command has one
   * @throws {RedisUnavailable} no usable answer in time; see its `reason`
   * @throws the client's ReplyError, if the server answered that the command is wrong
   */
  call(command: string, args: RedisArgument[], options?: OperationOptions): Promise<unknown>
  /**
   * Runs a script, by its hash; with its text if the server does not know it yet.
   *
   * @throws as `call`
   */
  run(
    script: Script,
    keys: readonly string[],
    args: readonly RedisArgument[],
    options?: OperationOptions,
  ): Promise<unknown>
  /**
   * Calls back once, when the commands of this turn of the event loop are about to be written: what is sent from
   * there still leaves in the same write. For callers that gather what a turn asks of them into one command.
   *
   * @param callback  must not throw
   */
  beforeWrite(callback: () => void): void
  /** The breaker's state; in a Cluster, of the node that holds `key`. */
  state(key?: string): BreakerState
  /** When it is worth asking again, in ms; 0 if now. */
  retryAfterMs(key?: string): number
}
