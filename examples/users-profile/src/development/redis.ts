import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { startRedis } from '@scale/redis/testing'

/** The Redis that a copy of the service uses. */
export interface FoundRedis {
  /** `undefined`: there is none, state stays in this process. */
  url: string | undefined
  /** For the first line that the service prints. */
  source: string
  stop(): Promise<void>
}

/**
 * Finds a Redis: the one that was named, else a private child of this process; else none.
 *
 * @param url  `REDIS_URL`; `none` asks for none
 */
export async function findRedis(url: string | undefined): Promise<FoundRedis> {
  const stopNothing = async (): Promise<void> => undefined
  if (url === 'none') return { url: undefined, source: 'none, as REDIS_URL says', stop: stopNothing }
  if (url !== undefined) return { url, source: 'REDIS_URL', stop: stopNothing }
  for (const binary of ['redis-server', 'valkey-server']) {
    const version = await versionOf(binary)
    if (version === undefined) continue
    const server = await startRedis({ binary })
    return { url: server.url, source: `${binary} ${version}, a private one`, stop: () => server.stop() }
  }
  const source = 'none (there is no redis-server or valkey-server on the PATH)'
  return { url: undefined, source, stop: stopNothing }
}

/** @returns `undefined` if there is no such program */
async function versionOf(binary: string): Promise<string | undefined> {
  const output = await promisify(execFile)(binary, ['--version']).catch(() => undefined)
  return output && (/v=([\d.]+)/.exec(output.stdout)?.[1] ?? 'of unknown version')
}
