import { InvalidOption } from '@scale/core'
import { Breaker } from './breaker.js'
import type { BreakerState } from './breaker-state.js'
import { type OperationMessage, operationChannel } from './channels.js'
import {
  type ClientStream,
  connectionsOf,
  nodeOf,
  type RedisArgument,
  type RedisClient,
  redisClient,
  streamsOf,
} from './client.js'
import { prepareClusterNodes } from './cluster-nodes.js'
import { Deadlines } from './deadlines.js'
import { RedisUnavailable } from './errors.js'
import { Operation } from './operation.js'
import { type GuardOptions, resolveGuardOptions } from './options.js'
import type { Script } from './script.js'

/** What a caller may say about one operation. */
export interface OperationOptions {
  /** Longest wait for the reply, in ms. Default: the guard's `deadlineMs` */
  deadlineMs?: number
  /** Strings in the reply as Buffers. Default false */
  asBuffer?: boolean
}

/**
 * Stands between a package and a Redis client, so that no request ever waits on Redis longer than its deadline.
 *
 * - Each operation ends by its deadline. A stalled event loop is not a fault: what is readable is read first.
 * - Nothing is queued: if the client is not ready the operation fails at once, and so it does while the breaker is open.
 * - The breaker opens on failures in a row, lets one probe through after a pause, and closes on its success. In a
 *   Cluster each node has its own, so that the loss of one does not take the others' slots along.
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

const guards = new WeakMap<RedisClient, Guard>()

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
  const guard = new Guard(client, resolveGuardOptions(options))
  guards.set(client, guard)
  return guard
}

class Guard implements StoreGuard {
  readonly #client: RedisClient
  readonly #options: Readonly<Required<GuardOptions>>
  readonly #deadlines = new Deadlines()
  readonly #breakers = new Map<string, Breaker>()
  readonly #only: Breaker | undefined
  /** Commands that are written when this turn of the event loop ends. */
  #unsent: Operation[] = []
  #corked: ClientStream[] | undefined
  #beforeWrite: (() => void)[] = []

  constructor(client: RedisClient, options: Readonly<Required<GuardOptions>>) {
    this.#client = client
    this.#options = options
    this.#only = client.isCluster ? undefined : this.#breakerOf('')
    client.on('ready', () => {
      const nowMs = performance.now()
      for (const breaker of this.#breakers.values()) breaker.reconnected(nowMs)
    })
    if (client.isCluster) prepareClusterNodes(client)
    warnOfRepeatedWrites(client)
  }

  available(key?: string): boolean {
    if (this.#client.status !== 'ready') return false
    if (this.#only !== undefined) return this.#only.state === 'closed' || this.#only.allows(performance.now())
    return key === undefined || this.#breakerFor(key).allows(performance.now())
  }

  state(key?: string): BreakerState {
    return this.#breakerFor(key).state
  }

  retryAfterMs(key?: string): number {
    return this.#breakerFor(key).retryAfterMs(performance.now())
  }

  call(command: string, args: RedisArgument[], options?: OperationOptions): Promise<unknown> {
    return this.#send(command, command, args, args[0], options)
  }

  run(
    script: Script,
    keys: readonly string[],
    args: readonly RedisArgument[],
    options?: OperationOptions,
  ): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args]
    return this.#send(script.name, 'evalsha', [script.sha, ...rest], keys[0], options).catch(
      (error: unknown) => {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
        // The same keys lead to the same node, so the text arrives where it was missing.
        return this.#send(script.name, 'eval', [script.lua, ...rest], keys[0], options)
      },
    )
  }

  #send(
    name: string,
    command: string,
    args: RedisArgument[],
    key: RedisArgument | undefined,
    options: OperationOptions | undefined,
  ): Promise<unknown> {
    const startedAt = performance.now()
    const breaker = this.#breakerFor(key)
    const refusal =
      this.#client.status !== 'ready' ? 'not-ready' : breaker.admit(startedAt) ? undefined : 'breaker-open'
    if (refusal !== undefined) {
      report({ operation: name, outcome: refusal, durationMs: 0 })
      return Promise.reject(new RedisUnavailable(refusal, { retryAfterMs: breaker.retryAfterMs(startedAt) }))
    }
    return new Promise((resolve, reject) => {
      const operation = new Operation(
        name,
        options?.deadlineMs ?? this.#options.deadlineMs,
        startedAt,
        breaker,
        resolve,
        reject,
        this.#cutIfSilent,
      )
      this.#beginWrite(operation)
      const reply = options?.asBuffer
        ? this.#client.callBuffer(command, args)
        : this.#client.call(command, args)
      reply.then(operation.onReply, operation.onError)
    })
  }

  beforeWrite(callback: () => void): void {
    this.#hold()
    this.#beforeWrite.push(callback)
  }

  /** Holds the sockets until the event loop has read what it can read now, then writes everything at once. */
  #hold(): void {
    if (this.#corked !== undefined) return
    this.#corked = streamsOf(connectionsOf(this.#client))
    for (const stream of this.#corked) stream.cork()
    setImmediate(this.#endWrite)
  }

  #beginWrite(operation: Operation): void {
    this.#hold()
    this.#unsent.push(operation)
  }

  readonly #endWrite = (): void => {
    // By index: a callback may add another.
    for (let index = 0; index < this.#beforeWrite.length; index++) this.#beforeWrite[index]!()
    this.#beforeWrite = []
    for (const stream of this.#corked ?? []) stream.uncork()
    this.#corked = undefined
    const sent = this.#unsent
    this.#unsent = []
    const nowMs = performance.now()
    for (const operation of sent) {
      if (!operation.settled) this.#deadlines.add(operation, operation.deadlineMs, nowMs)
    }
  }

  #breakerFor(key: RedisArgument | undefined): Breaker {
    return this.#only ?? this.#breakerOf(nodeOf(this.#client, String(key ?? '')))
  }

  #breakerOf(node: string): Breaker {
    let breaker = this.#breakers.get(node)
    if (breaker === undefined) {
      breaker = new Breaker(node, {
        failures: this.#options.breakerFailures,
        pauseMs: this.#options.breakerPauseMs,
      })
      this.#breakers.set(node, breaker)
    }
    return breaker
  }

  /**
   * A peer that vanished without a word leaves a connection that is open for ever. When even the probes have gone
   * unanswered for long enough, the socket is cut; the client then connects anew by its own rules.
   */
  readonly #cutIfSilent = (breaker: Breaker, nowMs: number): void => {
    if (breaker.failingForMs(nowMs) < this.#options.reconnectAfterMs) return
    for (const stream of streamsOf(connectionsOf(this.#client, breaker.node))) stream.destroy()
    breaker.reconnected(nowMs)
  }
}

function report(message: OperationMessage): void {
  if (operationChannel.hasSubscribers) operationChannel.publish(message)
}

/**
 * ioredis by default sends unanswered commands again after a reconnect: an INCR that was carried out is carried out
 * twice. `createRedis` switches that off; a client made elsewhere is left as it is, with one warning.
 */
function warnOfRepeatedWrites(client: RedisClient): void {
  if (client.isCluster) return
  const { options } = client as {
    options?: { autoResendUnfulfilledCommands?: boolean; maxRetriesPerRequest?: number }
  }
  if (options?.autoResendUnfulfilledCommands === false || options?.maxRetriesPerRequest === 0) return
  process.emitWarning(
    'This Redis client repeats unanswered commands after a reconnect, so a quota may be counted twice. ' +
      'Make it with `createRedis`, or with `autoResendUnfulfilledCommands: false`.',
    { code: 'SCALE_REDIS_RESEND' },
  )
}
