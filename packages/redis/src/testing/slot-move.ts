import type { RedisServer } from './server.js'

/** A slot on its way from one primary to another. */
export interface SlotMove {
  readonly from: RedisServer
  readonly to: RedisServer
  /**
   * Moves all keys that the slot holds now. For a key that has moved its old node answers ASK, for a command with keys
   * on both sides TRYAGAIN.
   *
   * @returns how many keys were moved
   */
  moveKeys(): Promise<number>
  /** Makes the new node the owner; resolves when every node knows. Keys that were left behind make it fail. */
  finish(): Promise<void>
}

const BATCH = 100
const MIGRATE_TIMEOUT_MS = 5_000

/**
 * Puts a slot into the state in which its keys can move.
 *
 * @param parties.others  the other primaries, which are told in the end
 * @param agreed          resolves when every node knows the new owner
 * @see https://redis.io/docs/latest/commands/cluster-setslot/
 */
export async function beginSlotMove(
  slot: number,
  parties: { from: RedisServer; to: RedisServer; others: readonly RedisServer[] },
  agreed: () => Promise<void>,
): Promise<SlotMove> {
  const { from, to, others } = parties
  const [fromId, toId] = [await idOf(from), await idOf(to)]
  await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)

  async function moveBatch(): Promise<number> {
    const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, BATCH)) as string[]
    if (keys.length === 0) return 0
    await from.command('MIGRATE', to.host, to.port, '', 0, MIGRATE_TIMEOUT_MS, 'KEYS', ...keys)
    return keys.length
  }

  return {
    from,
    to,
    moveKeys: async () => {
      let moved = 0
      for (let batch = await moveBatch(); batch > 0; batch = await moveBatch()) moved += batch
      return moved
    },
    finish: async () => {
      // The new owner first: were the old one to forget the slot before, nobody would serve it for a moment.
      for (const node of [to, from, ...others]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
      await agreed()
    },
  }
}

/** The name by which the other nodes know a node. */
export async function idOf(node: RedisServer): Promise<string> {
  return String(await node.command('CLUSTER', 'MYID'))
}
