import { createServer, type Server, type Socket } from 'node:net'
import { boolean, number, type OptionCheck, resolveOptions } from '@scale/core'
import { freePort } from './ports.js'
import { type ProxiedConnection, proxiedConnection, type Traffic } from './proxied-connection.js'

/** What is wrong with the network. A change counts at once, for open connections and bytes under way too. */
export interface Faults {
  /** How long each byte takes in each direction, ms from 0; order is kept. Default 0 */
  latencyMs: number
  /** How many bytes a second each direction of each connection carries, from 1. Default Infinity */
  bandwidthBytesPerSecond: number
  /**
   * Connections are accepted and read, and nothing is forwarded, not even their end. A connection that lost
   * something stays silent when this is over, as behind a firewall that forgot it; others go on. Default false
   */
  blackHole: boolean
  /** Requests pass, replies wait until this is over: the write happened and nobody was told. Default false */
  holdReplies: boolean
  /** New connections get ECONNREFUSED; open ones go on. Default false */
  refuse: boolean
}

/** Where a proxy forwards to. */
export interface ProxyTarget {
  readonly host: string
  readonly port: number
}

/** A TCP proxy on 127.0.0.1 whose faults are set while it runs. */
export interface FaultProxy {
  readonly host: '127.0.0.1'
  readonly port: number
  /** `redis://127.0.0.1:port` */
  readonly url: string
  readonly faults: Readonly<Faults>
  /** How many connections were accepted so far. */
  readonly connections: number
  /** How many clients are connected now. */
  readonly openConnections: number
  /** Bytes that were forwarded so far; what a black hole took is not among them. */
  readonly bytesToTarget: number
  readonly bytesToClient: number
  /**
   * Sets these faults and leaves the others as they are. They are in force when this returns; the end of `refuse`
   * when the promise resolves.
   *
   * @throws {InvalidOption} an unknown fault, or a value out of range
   */
  set(faults: Partial<Faults>): Promise<void>
  /** Ends all faults that `set` can set. Connections that were lost stay lost. */
  clear(): Promise<void>
  /** Resets all open connections (RST): clients see ECONNRESET. What was under way is lost. */
  reset(): void
  /**
   * Ends all open connections on the side of the target and tells the clients nothing, as when a machine loses power:
   * they may write, and wait for ever. New connections work.
   */
  halfOpen(): void
  /** Resets all connections and stops listening. */
  close(): Promise<void>
}

const NO_FAULTS: Readonly<Faults> = Object.freeze({
  latencyMs: 0,
  bandwidthBytesPerSecond: Number.POSITIVE_INFINITY,
  blackHole: false,
  holdReplies: false,
  refuse: false,
})

const bandwidth: OptionCheck = (value) =>
  typeof value === 'number' && value >= 1 ? undefined : 'a number of at least 1'

const CHECKS = {
  latencyMs: number(0, 3_600_000),
  bandwidthBytesPerSecond: bandwidth,
  blackHole: boolean,
  holdReplies: boolean,
  refuse: boolean,
}

/**
 * Starts a TCP proxy that forwards to `target` and can fail in the ways networks do. Point a client at its `port`.
 * While the target refuses connections, clients are accepted and then reset.
 *
 * @param options.target  where connections go; a `RedisServer` is one. Of several each connection goes to the next
 */
export async function startFaultProxy(options: {
  target: ProxyTarget | readonly ProxyTarget[]
}): Promise<FaultProxy> {
  const targets = [options.target].flat()
  const connections = new Set<ProxiedConnection>()
  const traffic: Traffic = { bytesToTarget: 0, bytesToClient: 0 }
  let accepted = 0
  let faults = NO_FAULTS

  function onConnection(client: Socket): void {
    const { host, port } = targets[accepted++ % targets.length]!
    const connection = proxiedConnection(client, { host, port }, () => faults, traffic)
    connections.add(connection)
    client.on('close', () => connections.delete(connection))
  }

  const port = await freePort()
  let listener: Server | undefined = await listen(port, onConnection)

  async function set(changes: Partial<Faults>): Promise<void> {
    faults = resolveOptions('faults', { ...faults, ...changes }, { checks: CHECKS, defaults: NO_FAULTS })
    for (const connection of connections) connection.wake()
    if (faults.refuse) {
      listener?.close()
      listener = undefined
    } else listener ??= await listen(port, onConnection)
  }

  function reset(): void {
    for (const connection of connections) connection.reset()
  }

  return {
    host: '127.0.0.1',
    port,
    url: `redis://127.0.0.1:${port}`,
    get faults() {
      return faults
    },
    get connections() {
      return accepted
    },
    get openConnections() {
      return connections.size
    },
    get bytesToTarget() {
      return traffic.bytesToTarget
    },
    get bytesToClient() {
      return traffic.bytesToClient
    },
    set,
    clear: () => set(NO_FAULTS),
    reset,
    halfOpen: () => {
      for (const connection of connections) connection.loseTarget()
    },
    close: async () => {
      await set({ refuse: true })
      reset()
    },
  }
}

/** @throws the port is taken */
function listen(port: number, onConnection: (client: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, onConnection)
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
