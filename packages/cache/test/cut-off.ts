import type { RedisServer } from '@scale/redis/testing'
import { until } from './until.js'

/** How far a server's history reaches, in bytes of the replication stream. */
async function offset(server: RedisServer): Promise<number> {
  const text = String(await server.command('INFO', 'replication'))
  return Number(/^(?:slave|master)_repl_offset:(\d+)/m.exec(text)![1])
}

/**
 * From now on the replicas hear nothing of what the primary acknowledges. To stop them alone would not do: what had been
 * sent they would still read, when the primary is dead and they go on. What it acknowledged before, they all have.
 */
export async function cutOff(primary: RedisServer, replicas: readonly RedisServer[]): Promise<void> {
  const before = await offset(primary)
  await until(async () => (await Promise.all(replicas.map(offset))).every((heard) => heard >= before), 20_000)
  for (const replica of replicas) replica.pause()
  await primary.command('CLIENT', 'KILL', 'TYPE', 'replica')
}
