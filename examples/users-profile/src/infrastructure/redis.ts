import { findRedisServer, testRedis } from '@scale/devkit/redis-server'

/** The Redis that a copy of the service uses. */
export interface FoundRedis {
  /** `undefined`: there is none, state stays in this process. */
  url: string | undefined
  /** For the first line that the service prints. */
  source: string
  stop(): Promise<void>
}

/**
 * Finds a Redis: the one that was named, else a private child of this process, from the PATH or from the distribution's
 * package; else none.
 *
 * @param url  `REDIS_URL`; `none` asks for none
 */
export async function findRedis(url: string | undefined): Promise<FoundRedis> {
  const stopNothing = async (): Promise<void> => undefined
  if (url === 'none') return { url: undefined, source: 'none, as REDIS_URL says', stop: stopNothing }
  if (url !== undefined) return { url, source: 'REDIS_URL', stop: stopNothing }
  try {
    const { source } = await findRedisServer()
    const server = await testRedis()
    return { url: server.url, source, stop: () => server.stop() }
  } catch (error) {
    return { url: undefined, source: `none (${(error as Error).message})`, stop: stopNothing }
  }
}
