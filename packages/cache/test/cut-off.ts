import type { RedisServer } from '@scale/redis/testing'

/**
 * From now on the replicas hear nothing of what the primary acknowledges. To stop them alone would not do: what had been
 * sent they would still read, when the primary is dead and they go on.
 */
export async function cutOff(primary: RedisServer, replicas: readonly RedisServer[]): Promise<void> {
  for (const replica of replicas) replica.pause()
  await primary.command('CLIENT', 'KILL', 'TYPE', 'replica')
}
