import { connectionsOf, type RedisClient, streamsOf } from '../client.js'

/** Whether an answer is owed. A client that waits for a server to load its data asks now and then only. */
function isAsking(client: RedisClient): boolean {
  const { commandQueue } = client as { commandQueue?: { readonly length: number } }
  return commandQueue === undefined || commandQueue.length > 0
}

/**
 * Cuts a connection on which a server says nothing before the client is ready: ioredis waits for its answer without end. Every
 * state of a connection has an end then:
 *
 * | state                     | ends by                                                                     |
 * | ------------------------- | --------------------------------------------------------------------------- |
 * | look-up at the sentinels  | `Sentinels`: all are asked at once, none for longer than `connectTimeout`   |
 * | discovery of a Cluster    | ioredis' `slotsRefreshTimeout`, then the next node                          |
 * | TCP and TLS               | ioredis' `connectTimeout`                                                   |
 * | handshake and ready check | here: a server that says nothing for `afterMs`; one that loads says so      |
 * | ready check of a Cluster  | here: after `afterMs`                                                       |
 * | ready                     | `Link`: silence of a server that was asked                                  |
 * | ready, another is primary | `Sentinels`: at once, when one of them says so                              |
 * | invalidation              | here; then its channel, by silence                                          |
 */
export function endSilentHandshakes(client: RedisClient, afterMs: number): void {
  if (client.isCluster) {
    endSilentDiscovery(client, afterMs)
    return
  }
  let timer: NodeJS.Timeout | undefined
  const end = (): void => clearTimeout(timer)
  client.on('connect', () => {
    end()
    const [stream] = streamsOf(connectionsOf(client))
    let bytes = 0
    const look = (): void => {
      if (stream === undefined || client.status === 'ready') return
      const heard = stream.bytesRead ?? 0
      if (heard === bytes && isAsking(client)) stream.destroy()
      else timer = setTimeout(look, afterMs).unref()
      bytes = heard
    }
    timer = setTimeout(look, afterMs).unref()
  })
  client.on('ready', end)
  client.on('close', end)
}

/** A Cluster client asks one node whether the Cluster is well; each node has a handshake of its own. */
function endSilentDiscovery(client: RedisClient, afterMs: number): void {
  const known = new WeakSet<object>()
  const onNode = (): void => {
    for (const node of connectionsOf(client) as readonly RedisClient[]) {
      if (!known.has(node)) endSilentHandshakes(node, afterMs)
      known.add(node)
    }
  }
  onNode()
  client.on('+node', onNode)
  let timer: NodeJS.Timeout | undefined
  client.on('connect', () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      if (client.status === 'connect') client.disconnect?.(true)
    }, afterMs).unref()
  })
  client.on('ready', () => clearTimeout(timer))
}
