import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { AbstractConnector, type RedisOptions } from 'ioredis'
import type { Sentinels } from './sentinels.js'
import { type DnsLookup, openSocket, type SocketOptions } from './socket.js'

type Connector = NonNullable<RedisOptions['Connector']>
type ErrorEmitter = (type: string, error: Error) => void

/** What the connectors of one client have in common. */
export interface ConnectorOptions {
  readonly dnsLookup: DnsLookup | undefined
  readonly onError: (error: Error) => void
}

const CLOSED = 'Connection is closed.'

/** How ioredis gets to a server whose address is known; in a Cluster to each node. */
export function directConnector({ dnsLookup, onError }: ConnectorOptions): Connector {
  return class DirectConnector extends AbstractConnector {
    readonly #options: SocketOptions

    constructor(options: unknown) {
      super((options as RedisOptions).disconnectTimeout ?? 2_000)
      this.#options = options as SocketOptions
    }

    override async connect(): Promise<Socket> {
      this.connecting = true
      // Not before this turn has ended: whoever disconnects at once gets no socket.
      await Promise.resolve()
      if (!this.connecting) throw new Error(CLOSED)
      this.stream = openSocket(this.#options, dnsLookup, (error) => {
        this.firstError ??= error
        onError(error)
      })
      return this.stream as Socket
    }
  }
}

/**
 * How ioredis gets to the primary that the Sentinels name: all of them asked at once, the role of the server checked, and the
 * connection cut as soon as one of them names another.
 */
export function sentinelConnector(
  sentinels: Sentinels,
  retryDelayMs: (attempt: number) => number,
  { dnsLookup, onError }: ConnectorOptions,
): Connector {
  return class SentinelConnector extends AbstractConnector {
    readonly #options: SocketOptions

    constructor(options: unknown) {
      super((options as RedisOptions).disconnectTimeout ?? 2_000)
      this.#options = options as SocketOptions
    }

    override check(info: { role?: string }): boolean {
      return info.role === undefined || info.role === 'master'
    }

    override async connect(emit: ErrorEmitter): Promise<Socket> {
      this.connecting = true
      for (let attempt = 1; ; attempt++) {
        const found = await sentinels.primary().catch((error: Error) => error)
        if (!this.connecting) throw new Error(CLOSED)
        if (!(found instanceof Error)) return this.#open(found)
        emit('error', found)
        await sleep(retryDelayMs(attempt))
        if (!this.connecting) throw new Error(CLOSED)
      }
    }

    #open(address: { host: string; port: number }): Socket {
      const socket = openSocket({ ...this.#options, ...address, path: undefined }, dnsLookup, (error) => {
        this.firstError ??= error
        onError(error)
      })
      this.stream = socket
      const stop = sentinels.watch((primary) => {
        if (primary?.host === address.host && primary.port === address.port) return
        socket.destroy(new Error(`The Sentinels name another primary than ${address.host}:${address.port}`))
      })
      socket.once('close', stop)
      return socket
    }
  }
}
