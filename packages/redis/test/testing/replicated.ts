import type { RedisServer } from '../../src/testing/index.js'
import { respClient } from '../../src/testing/resp.js'

/** Sets a key to 1 and waits until so many replicas have it. */
export async function writeReplicated(primary: RedisServer, key: string, replicas: number): Promise<void> {
  const client = respClient(primary.port)
  await client.command('SET', key, 1)
  // WAIT counts for the writes of its own connection only.
  await client.command('WAIT', replicas, 0)
  client.close()
}
