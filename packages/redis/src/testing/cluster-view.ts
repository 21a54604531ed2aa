import type { RedisServer } from './server.js'

/** A node as another node sees it. */
export interface SeenNode {
  readonly id: string
  readonly port: number
  readonly isPrimary: boolean
  /** Of a replica: the id of its primary. */
  readonly primaryId: string | undefined
  /** False while it shakes hands, or is suspected or known to have failed. */
  readonly isHealthy: boolean
  /** Ranges of slots, both ends included. */
  readonly slots: readonly (readonly [first: number, last: number])[]
}

/** The whole cluster as one node sees it. @see https://redis.io/docs/latest/commands/cluster-nodes/ */
export async function viewOf(node: RedisServer): Promise<SeenNode[]> {
  const text = String(await node.command('CLUSTER', 'NODES'))
  return text.trimEnd().split('\n').map(parseNode)
}

/** `id host:port@bus flags primary ping pong epoch link slot…`; a slot on the move stands in brackets. */
function parseNode(line: string): SeenNode {
  const [id = '', address = '', flags = '', primary = '-', , , , , ...slots] = line.split(' ')
  const has = (flag: string): boolean => flags.split(',').includes(flag)
  return {
    id,
    port: Number(address.split('@')[0]?.split(':').at(-1)),
    isPrimary: has('master'),
    primaryId: primary === '-' ? undefined : primary,
    isHealthy: !['handshake', 'noaddr', 'fail?', 'fail'].some(has),
    slots: slots.filter((slot) => !slot.startsWith('[')).map(parseRange),
  }
}

function parseRange(text: string): [number, number] {
  const [first = 0, last = first] = text.split('-').map(Number)
  return [first, last]
}

/** Whether a node serves a slot, in this view. */
export function owns(node: SeenNode, slot: number): boolean {
  return node.slots.some(([first, last]) => slot >= first && slot <= last)
}
