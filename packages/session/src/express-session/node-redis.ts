import type { RedisArgument, RedisClient } from '@scale/redis'

/** The shape of a standalone node-redis client, 4 or later. */
export interface NodeRedisClient {
  readonly isReady: boolean
  sendCommand(args: string[]): Promise<unknown>
  on(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
}

/** Whether a value is a node-redis client. That of a Cluster is not: its `sendCommand` takes something else. */
export function isNodeRedis(value: unknown): value is NodeRedisClient {
  const client = value as Partial<NodeRedisClient> | null
  return (
    typeof client === 'object' &&
    client !== null &&
    typeof client.sendCommand === 'function' &&
    typeof client.isReady === 'boolean' &&
    typeof client.on === 'function'
  )
}

const adapted = new WeakMap<NodeRedisClient, RedisClient>()

/** The same for the same client, so that it has one guard. */
export function adaptNodeRedis(client: NodeRedisClient): RedisClient {
  const existing = adapted.get(client)
  if (existing !== undefined) return existing
  const call = (command: string, args: RedisArgument[]): Promise<unknown> =>
    client.sendCommand([command, ...args.map(String)]).catch(asReplyError)
  const adapter = {
    get status() {
      return client.isReady ? 'ready' : 'connecting'
    },
    call,
    callBuffer: call,
    on: (event: string, listener: () => void) => client.on(event, listener),
    off: (event: string, listener: () => void) => client.off(event, listener),
    // node-redis rejects what was under way when the connection broke.
    options: { autoResendUnfulfilledCommands: false },
  }
  adapted.set(client, adapter)
  return adapter
}

/** The store guard knows an error that the server answered by the name that ioredis gives it. */
function asReplyError(error: Error): never {
  if (/^[A-Z]+ /.test(error.message)) error.name = 'ReplyError'
  throw error
}
