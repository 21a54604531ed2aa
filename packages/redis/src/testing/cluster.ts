import { acquaintance, agreement } from './cluster-agreement.js'
import { owns, type SeenNode, viewOf } from './cluster-view.js'
import { flags, type RedisServer, type ServerProgram, startRedis } from './server.js'
import { isAwake, startAll, stopAll } from './several.js'
import { beginSlotMove, idOf, type SlotMove } from './slot-move.js'

/** Options of `startRedisCluster`. */
export interface StartRedisClusterOptions extends ServerProgram {
  /** With fewer than 3 no primary is ever replaced: most of them must agree. Default 3 */
  readonly primaries?: number
  /** Default 1 */
  readonly replicasPerPrimary?: number
  /** How long a node may be silent before it counts as failed (`cluster-node-timeout`), ms. Default 1,000 */
  readonly nodeTimeoutMs?: number
  /** More arguments of every node; they win over ours. Default none */
  readonly args?: readonly string[]
}

/** A private Redis Cluster on 127.0.0.1. */
export interface RedisCluster {
  /** All nodes; those that began as primaries come first, in the order of their slots. */
  readonly nodes: readonly RedisServer[]
  /** One URL a node: `redis://127.0.0.1:port`. */
  readonly urls: readonly string[]
  /** All nodes in one URL, as `createRedis` takes it: `redis+cluster://127.0.0.1:port,…`. */
  readonly url: string
  /** The slot of a key. */
  slotOf(key: string): Promise<number>
  /** The node that serves a slot now. */
  primaryOf(slot: number): Promise<RedisServer>
  /** The nodes that replicate a node now. */
  replicasOf(primary: RedisServer): Promise<RedisServer[]>
  /** Moves a slot with its keys; resolves when every node knows. From then on its old owner answers MOVED. */
  moveSlot(slot: number, to: RedisServer): Promise<void>
  /** Starts to move a slot and stops in the middle, where its owner answers ASK for keys that it does not have. */
  beginMove(slot: number, to: RedisServer): Promise<SlotMove>
  /**
   * Puts a replica in the place of a primary; resolves with it when every node that runs, and is not paused, knows.
   *
   * @param how  `handover`: asked for, nothing is lost (CLUSTER FAILOVER). `crash`: the primary is killed and its
   *             replica notices, `nodeTimeoutMs` and about 1 s later; what was not yet replicated is lost.
   *             Default `handover`
   * @throws {Error} the primary has no replica that runs, or the nodes did not agree within 15 s
   */
  failover(primary: RedisServer, how?: 'handover' | 'crash'): Promise<RedisServer>
  /**
   * Waits until all nodes that run agree and every replica is in step, such as after `restart()` of a node that was
   * killed: it comes back as a replica. @throws {Error} they did not within 15 s
   */
  settled(): Promise<void>
  /** Ends all nodes and removes their files. */
  stop(): Promise<void>
}

const SLOTS = 16_384

/**
 * Starts a Redis Cluster on free ports of 127.0.0.1, and resolves when every slot is served and every replica in step.
 * While a primary is away its slots fail and the others go on (`cluster-require-full-coverage no`).
 *
 * @throws {Error} a node did not start, or the nodes did not agree within 15 s
 */
export async function startRedisCluster(options: StartRedisClusterOptions): Promise<RedisCluster> {
  const { primaries = 3, replicasPerPrimary = 1 } = options
  const args = nodeArgs(options)
  const nodes = await startAll(primaries * (1 + replicasPerPrimary), () => startRedis({ ...options, args }))
  try {
    await join(nodes, primaries)
  } catch (error) {
    await stopAll(nodes)
    throw error
  }
  return redisCluster(nodes)
}

function nodeArgs({ nodeTimeoutMs = 1_000, args = [] }: StartRedisClusterOptions): string[] {
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-node-timeout': nodeTimeoutMs,
    'cluster-require-full-coverage': 'no',
    // However long a replica was cut off, it may stand for election.
    'cluster-replica-validity-factor': 0,
  }
  return [...flags(settings), ...args]
}

async function join(nodes: readonly RedisServer[], primaries: number): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    if (index < primaries) await node.command('CLUSTER', 'ADDSLOTS', ...share(index, primaries))
    // Each meets each: to wait for gossip would take seconds.
    for (const other of nodes.slice(0, index)) await node.command('CLUSTER', 'MEET', other.host, other.port)
  }
  await acquaintance(nodes)
  for (const [index, replica] of nodes.entries()) {
    const primary = nodes[index % primaries]!
    if (replica !== primary) await replica.command('CLUSTER', 'REPLICATE', await idOf(primary))
  }
  await agreement(nodes)
}

/** The slots that fall to one of several primaries. */
function share(index: number, primaries: number): number[] {
  const first = Math.floor((index * SLOTS) / primaries)
  const end = Math.floor(((index + 1) * SLOTS) / primaries)
  return Array.from({ length: end - first }, (_, offset) => first + offset)
}

function redisCluster(nodes: readonly RedisServer[]): RedisCluster {
  /** Any node that can be asked. */
  function witness(): RedisServer {
    const node = nodes.find(isAwake)
    if (node === undefined) throw new Error('no node of the cluster runs')
    return node
  }

  /** The nodes that are well and of which `is` holds. */
  async function those(is: (node: SeenNode) => boolean): Promise<RedisServer[]> {
    const seen = (await viewOf(witness())).filter((node) => node.isHealthy && is(node))
    return seen.map(({ port }) => nodes.find((node) => node.port === port)!)
  }

  async function primaryOf(slot: number): Promise<RedisServer> {
    const [owner] = await those((node) => owns(node, slot))
    if (owner === undefined) throw new Error(`no node serves slot ${slot}`)
    return owner
  }

  async function replicasOf(primary: RedisServer): Promise<RedisServer[]> {
    const id = (await viewOf(witness())).find((node) => node.port === primary.port)?.id
    return those((node) => node.primaryId === id)
  }

  async function beginMove(slot: number, to: RedisServer): Promise<SlotMove> {
    const from = await primaryOf(slot)
    const others = (await those((node) => node.isPrimary)).filter((node) => node !== from && node !== to)
    return beginSlotMove(slot, { from, to, others }, () =>
      agreement(nodes, (view) => view.some((node) => node.port === to.port && owns(node, slot))),
    )
  }

  async function failover(primary: RedisServer, how = 'handover'): Promise<RedisServer> {
    const replicas = (await replicasOf(primary)).filter(isAwake)
    if (replicas[0] === undefined)
      throw new Error(`the node on port ${primary.port} has no replica that runs`)
    if (how === 'crash') await primary.kill()
    else await replicas[0].command('CLUSTER', 'FAILOVER')
    let promoted: RedisServer | undefined
    await agreement(nodes, (view) => {
      const ports = view.filter((node) => node.isPrimary).map((node) => node.port)
      promoted = replicas.find((replica) => ports.includes(replica.port))
      return promoted !== undefined
    })
    return promoted!
  }

  return {
    nodes,
    urls: nodes.map((node) => node.url),
    url: `redis+cluster://${nodes.map((node) => `${node.host}:${node.port}`).join(',')}`,
    slotOf: async (key) => Number(await witness().command('CLUSTER', 'KEYSLOT', key)),
    primaryOf,
    replicasOf,
    moveSlot: async (slot, to) => {
      const move = await beginMove(slot, to)
      await move.moveKeys()
      await move.finish()
    },
    beginMove,
    failover,
    settled: () => agreement(nodes),
    stop: () => stopAll(nodes),
  }
}
