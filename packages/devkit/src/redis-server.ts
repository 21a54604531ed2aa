// By path: as a dependency it would close a circle, and pnpm warns of circles on every install.
import { type RedisServer, type StartRedisOptions, startRedis } from '../../redis/src/testing/index.js'
import { findRedisServer } from './redis-program.js'

export { type FoundRedisServer, findRedisServer } from './redis-program.js'

/**
 * Starts a private Redis for a suite, with the server that `findRedisServer` finds. Call it in `beforeAll`, and
 * `stop()` in `afterAll`.
 */
export async function testRedis(options?: Omit<StartRedisOptions, 'binary' | 'env'>): Promise<RedisServer> {
  return startRedis({ ...options, ...(await findRedisServer()) })
}
