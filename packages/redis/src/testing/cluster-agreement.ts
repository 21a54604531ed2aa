import { type SeenNode, viewOf } from './cluster-view.js'
import { onlineReplicas } from './replication.js'
import type { RedisServer } from './server.js'
import { isAwake } from './several.js'
import { waitUntil } from './wait-until.js'

const TIMEOUT_MS = 15_000

/** Waits until every node knows every other and none of them is suspected. */
export async function acquaintance(nodes: readonly RedisServer[]): Promise<void> {
  await waitUntil('that all nodes know each other', TIMEOUT_MS, async () => {
    const views = await Promise.all(nodes.map(viewOf))
    return views.every((view) => view.filter((node) => node.isHealthy).length === nodes.length)
  })
}

/**
 * Waits until all nodes that run, and are not paused, say that the cluster is well and have the same picture of who serves what, one that
 * satisfies `holds`, and all replicas are in step with their primaries.
 */
export async function agreement(
  nodes: readonly RedisServer[],
  holds: (view: readonly SeenNode[]) => boolean = () => true,
): Promise<void> {
  await waitUntil('that all nodes agree', TIMEOUT_MS, async () => {
    const awake = nodes.filter(isAwake)
    const views = await Promise.all(awake.map(viewOf))
    const view = views[0]!.filter((node) => node.isHealthy)
    if (new Set(views.map(pictureOf)).size !== 1 || !holds(view)) return false
    return (await Promise.all(awake.map((node) => isWell(node, view)))).every(Boolean)
  })
}

/** Who serves which slots and who follows whom, of the nodes that are well, as comparable text. */
function pictureOf(view: readonly SeenNode[]): string {
  const lines = view
    .filter((node) => node.isHealthy)
    .map((node) => [node.id, node.isPrimary, node.primaryId, ...node.slots].join(' '))
  return lines.sort().join('\n')
}

async function isWell(node: RedisServer, view: readonly SeenNode[]): Promise<boolean> {
  const { id } = view.find((seen) => seen.port === node.port) ?? {}
  const online = await onlineReplicas(node)
  const isServing = String(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok')
  return isServing && view.filter((seen) => seen.primaryId === id).every((seen) => online.includes(seen.port))
}
