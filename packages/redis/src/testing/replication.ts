import type { RedisServer } from './server.js'

/**
 * The ports of the replicas that get every write of this server as it happens. A replica calls itself connected up to
 * 1 s earlier, while what is written is still kept back for it and would be lost with the primary.
 */
export async function onlineReplicas(primary: RedisServer): Promise<number[]> {
  const text = String(await primary.command('INFO', 'replication'))
  return [...text.matchAll(/^slave\d+:.*port=(\d+),state=online/gm)].map(([, port]) => Number(port))
}
