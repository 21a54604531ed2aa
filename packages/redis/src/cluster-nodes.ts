import { connectionsOf, type RedisClient, type RedisConnection } from './client.js'

/** A Cluster client's connection to one node, as ioredis makes it. */
interface ClusterNode extends RedisConnection {
  readonly options?: { readonly readOnly?: boolean }
  connect?(): Promise<unknown>
  asking?(...args: unknown[]): Promise<unknown>
}

/**
 * Makes the nodes of a Cluster client fit for requests, those it has and those it will find:
 *
 * - ioredis connects to a node when the first command wants to go there, and meanwhile refuses the commands that come
 *   after it. So primaries are connected as soon as they are known; but not before the client is ready, whose own look at the
 *   Cluster would meet a node that is just being connected, and start over.
 * - ioredis asks a node to accept a redirected command (ASKING) and does not look at the answer. If the node dies
 *   before it answers, that is an unhandled rejection, which ends the process.
 */
export function prepareClusterNodes(client: RedisClient): void {
  const prepared = new WeakSet<ClusterNode>()
  const prepareNew = (): void => {
    for (const node of connectionsOf(client) as readonly ClusterNode[]) {
      if (prepared.has(node)) continue
      prepared.add(node)
      hearFailedAsking(node)
      if (node.status === 'wait' && !node.options?.readOnly) node.connect?.().catch(() => {})
    }
  }
  const onNode = (): void => {
    if (client.status === 'ready') prepareNew()
  }
  onNode()
  client.on('ready', prepareNew)
  client.on('+node', onNode)
}

function hearFailedAsking(node: ClusterNode): void {
  const { asking } = node
  if (typeof asking !== 'function') return
  node.asking = (...args) => {
    const answer = asking.apply(node, args)
    answer.catch(() => {})
    return answer
  }
}
