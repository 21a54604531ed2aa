import { type OperationMessage, operationChannel } from '../channels.js'
import {
  type ClientStream,
  connectionErrorOf,
  connectionsOf,
  nodeOf,
  type RedisArgument,
  type RedisClient,
  sendCommand,
  streamsOf,
  withPlainReplies,
} from '../client.js'
import { prepareClusterNodes } from '../cluster-nodes.js'
import { endSilentHandshakes } from '../connection/handshake.js'
import { RedisUnavailable, type UnavailableReason } from '../errors.js'
import type { GuardOptions } from '../options.js'
import type { Script } from '../script.js'
import type { ServerWord } from '../server-words.js'
import { adviseOnServers } from './advice.js'
import type { BreakerState } from './breaker-state.js'
import { Deadlines } from './deadlines.js'
import { Link, type Wire } from './link.js'
import { Operation } from './operation.js'
import type { OperationOptions, StoreGuard } from './port.js'

/** How often a client is told to connect anew because its server is the wrong one, at most, in ms. */
const RECONNECT_PAUSE_MS = 1_000

/** A client and what stands between it and the packages. */
export class GuardedClient implements StoreGuard {
  readonly #client: RedisClient
  readonly #options: Readonly<Required<GuardOptions>>
  readonly #deadlines = new Deadlines()
  /** By node; the only one of a client with one server has no name. */
  readonly #links = new Map<string, Link>()
  readonly #only: Link | undefined
  #waiting = 0
  /** Operations for a connection that is just being made for the first time, by its link. */
  readonly #held = new Map<Link, [Operation, send: () => void][]>()
  #reconnectedAt: number = Number.NEGATIVE_INFINITY
  /** Commands that are written when this turn of the event loop ends. */
  #unsent: Operation[] = []
  #corked: ClientStream[] | undefined
  #beforeWrite: (() => void)[] = []

  constructor(given: RedisClient, options: Readonly<Required<GuardOptions>>) {
    const client = withPlainReplies(given)
    this.#client = client
    this.#options = options
    this.#only = client.isCluster ? undefined : this.#linkOf('')
    client.on('ready', () => {
      const nowMs = performance.now()
      this.#only?.renewed(nowMs)
      for (const link of this.#held.keys()) this.#release(link, (_, send) => send())
    })
    client.on('close', () => {
      this.#only?.unreachable()
      for (const link of this.#held.keys())
        this.#release(link, (operation) => operation.fail('not-ready', connectionErrorOf(client)))
    })
    endSilentHandshakes(client, options.reconnectAfterMs)
    if (client.isCluster) prepareClusterNodes(client)
    warnOfRepeatedWrites(client)
    adviseOnServers(client)
  }

  available(key?: string): boolean {
    if (this.#client.status === 'wait') return true
    if (this.#client.status !== 'ready') return false
    if (this.#only !== undefined) return this.#only.admits(performance.now())
    return key === undefined || this.#linkFor(key).admits(performance.now())
  }

  state(key?: string): BreakerState {
    return this.#linkFor(key).state
  }

  retryAfterMs(key?: string): number {
    return this.#linkFor(key).retryAfterMs
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

  beforeWrite(callback: () => void): void {
    this.#hold()
    this.#beforeWrite.push(callback)
  }

  #send(
    name: string,
    command: string,
    args: RedisArgument[],
    key: RedisArgument | undefined,
    options: OperationOptions | undefined,
  ): Promise<unknown> {
    const startedAt = performance.now()
    const link = this.#linkFor(key)
    const refusal = this.#refusal(link, startedAt)
    if (refusal !== undefined) {
      report({ operation: name, outcome: refusal, durationMs: 0 })
      const cause = refusal === 'not-ready' ? connectionErrorOf(this.#client) : undefined
      return Promise.reject(new RedisUnavailable(refusal, { retryAfterMs: link.retryAfterMs, cause }))
    }
    return new Promise((resolve, reject) => {
      const patienceMs = this.#patienceMs(options)
      const operation = new Operation(name, patienceMs, startedAt, link, resolve, reject, this.#onEnd)
      this.#waiting++
      const send = (): void => {
        this.#hold()
        this.#unsent.push(operation)
        const reply = sendCommand(this.#client, command, args, options?.asBuffer === true)
        reply.then(operation.onReply, operation.onError)
      }
      const held = this.#held.get(link)
      if (held === undefined) {
        send()
        return
      }
      held.push([operation, send])
      this.#deadlines.add(operation, patienceMs, startedAt)
    })
  }

  #patienceMs(options: OperationOptions | undefined): number {
    if (options === undefined) return this.#options.deadlineMs
    if (options.deadlineMs !== undefined) return options.deadlineMs
    return options.patience === 'long' ? this.#options.patienceMs : this.#options.deadlineMs
  }

  /** Why an operation cannot be begun. A client that waits to be asked is connected. */
  #refusal(link: Link, nowMs: number): UnavailableReason | undefined {
    const { status } = this.#client
    if (status === 'wait') {
      this.#held.set(link, [])
      // What goes wrong comes as `close`, and as an `error` to whoever listens.
      this.#client.connect?.().catch(() => {})
    } else if (status === 'ready') this.#holdForNode(link)
    if (status !== 'ready' && !this.#held.has(link)) {
      if (!this.#client.isCluster) link.unreachable()
      return 'not-ready'
    }
    if (status === 'ready' && !link.admits(nowMs)) return 'breaker-open'
    return this.#waiting < this.#options.maxWaiting ? undefined : 'too-many-waiting'
  }

  /** ioredis refuses what is for a node of a Cluster to which it is just connecting. */
  #holdForNode(link: Link): void {
    if (this.#only !== undefined || this.#held.has(link) || link.state === 'open') return
    const [node] = connectionsOf(this.#client, link.node)
    if (node?.once === undefined || (node.status !== 'connecting' && node.status !== 'connect')) return
    this.#held.set(link, [])
    node.once('ready', () => this.#release(link, (_, send) => send()))
    node.once('close', () => this.#release(link, (operation) => operation.fail('not-ready')))
  }

  #release(link: Link, each: (operation: Operation, send: () => void) => void): void {
    const held = this.#held.get(link)
    this.#held.delete(link)
    for (const [operation, send] of held ?? []) if (!operation.settled) each(operation, send)
  }

  readonly #onEnd = (_operation: Operation, word: ServerWord | undefined): void => {
    this.#waiting--
    if (word?.reconnect) this.#leaveServer()
  }

  /** ioredis finds the right one by its own means: it asks Sentinel, or resolves the name anew. In a Cluster slots tell. */
  #leaveServer(): void {
    const nowMs = performance.now()
    if (this.#client.isCluster || nowMs - this.#reconnectedAt < RECONNECT_PAUSE_MS) return
    this.#reconnectedAt = nowMs
    this.#client.disconnect?.(true)
  }

  /** Holds the sockets until the event loop has read what it can read now, then writes everything at once. */
  #hold(): void {
    if (this.#corked !== undefined) return
    this.#corked = streamsOf(connectionsOf(this.#client))
    for (const stream of this.#corked) stream.cork()
    setImmediate(this.#endWrite)
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
      if (operation.settled) continue
      operation.wrote(nowMs)
      // One that waited for the connection has its deadline already.
      if (operation.dueAt === Number.POSITIVE_INFINITY) {
        this.#deadlines.add(operation, operation.patienceMs, nowMs)
      }
    }
  }

  #linkFor(key: RedisArgument | undefined): Link {
    return this.#only ?? this.#linkOf(nodeOf(this.#client, String(key ?? '')))
  }

  #linkOf(node: string): Link {
    let link = this.#links.get(node)
    if (link === undefined) {
      link = new Link(node, this.#options, this.#wireOf(node), this.#deadlines)
      this.#links.set(node, link)
    }
    return link
  }

  #wireOf(node: string): Wire {
    const connections = () => connectionsOf(this.#client, this.#client.isCluster ? node : undefined)
    return {
      isReady: () => connections().some(({ status }) => status === 'ready'),
      heard: () => {
        const [stream] = streamsOf(connections())
        return stream === undefined ? undefined : { stream, bytes: stream.bytesRead ?? 0 }
      },
      cut: () => {
        for (const stream of streamsOf(connections())) stream.destroy()
      },
    }
  }
}

function report(message: OperationMessage): void {
  if (operationChannel.hasSubscribers) operationChannel.publish(message)
}

/**
 * ioredis by default sends unanswered commands again after a reconnect: an INCR that was carried out is carried out
 * twice. `createRedis` switches that off; a client made elsewhere is left as it is, with one warning.
 */
function warnOfRepeatedWrites({
  options,
  isCluster,
}: RedisClient & { readonly options?: RepeatOptions }): void {
  const { autoResendUnfulfilledCommands, maxRetriesPerRequest, retryDelayOnFailover } = options ?? {}
  const isOnce = isCluster
    ? retryDelayOnFailover === 0
    : autoResendUnfulfilledCommands === false || maxRetriesPerRequest === 0
  if (isOnce) return
  const setting = isCluster ? 'retryDelayOnFailover: 0' : 'autoResendUnfulfilledCommands: false'
  process.emitWarning(
    'This Redis client repeats unanswered commands after a reconnect, so a quota may be counted twice. ' +
      `Make it with \`createRedis\`, or with \`${setting}\`.`,
    { code: 'SCALE_REDIS_RESEND' },
  )
}

interface RepeatOptions {
  readonly autoResendUnfulfilledCommands?: boolean
  readonly maxRetriesPerRequest?: number | null
  /** Of a Cluster client. */
  readonly retryDelayOnFailover?: number
}
