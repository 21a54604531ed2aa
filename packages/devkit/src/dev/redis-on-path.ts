import { redisOnPath } from '../redis-program.js'

/** Vitest calls it once, before the tests of the examples: what they start finds a Redis server on the PATH. */
export default async function putRedisOnPath(): Promise<void> {
  Object.assign(process.env, await redisOnPath())
}
