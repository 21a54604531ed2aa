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
 * | look-up at a sentinel     | ioredis' `sentinelCommandTimeout`, then the next sentinel                   |
 * | discovery of a Cluster    | ioredis' `slotsRefreshTimeout`, then the next node                          |
 * | TCP and TLS               | ioredis' `connectTimeout`                                                   |
 * | handshake and ready check | here: a server that says nothing for `afterMs`; one that loads says so      |
 * | ready                     | `Link`: silence of a server that was asked                                  |
 */
export function endSilentHandshakes(client: RedisClient, afterMs: number): void {
  if (client.isCluster) return
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
