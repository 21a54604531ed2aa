import { connectionsOf, type RedisClient, type RedisConnection } from '../client.js'

/** What a server says of itself in INFO, as far as it matters here. */
export interface ServerFacts {
  /** `redis_version`, such as `7.0.15`. A Valkey names the Redis that it is like. */
  readonly version: string
  readonly role: string
  /** In bytes; 0: no limit. */
  readonly maxMemory: number
  readonly evictionPolicy: string
}

const PAGE = 'See docs/guides/redis.md.'
/** Servers of this process that were looked at: each once, whoever has a client for it. */
const advised = new Set<string>()

/**
 * Looks at each server once, when a client is ready for it, and warns of what will go wrong later. It asks by INFO: whoever may not
 * send that is told nothing.
 */
export function adviseOnServers(client: RedisClient): void {
  client.on('ready', () => {
    for (const connection of connectionsOf(client)) void adviseOn(connection, client.isCluster === true)
  })
}

/** @param isCluster  then it is a node, and one of the replicas may well be */
async function adviseOn(connection: RedisConnection, isCluster: boolean): Promise<void> {
  const { options = {} } = connection as { options?: { host?: string; port?: number; path?: string } }
  const server = options.path ?? `${options.host}:${options.port}`
  if (connection.status !== 'ready' || connection.info === undefined || advised.has(server)) return
  advised.add(server)
  try {
    const facts = serverFacts(String(await connection.info()))
    for (const [code, text] of adviceOn(isCluster ? { ...facts, role: '' } : facts))
      process.emitWarning(`Redis at ${server}: ${text} ${PAGE}`, { code })
  } catch {
    // Not allowed, or gone: what matters of that is told by the operations of the packages.
    advised.delete(server)
  }
}

/** @param info  what the command INFO answers */
export function serverFacts(info: string): ServerFacts {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  return {
    version: field('redis_version'),
    role: field('role'),
    maxMemory: Number(field('maxmemory') || 0),
    evictionPolicy: field('maxmemory_policy'),
  }
}

/** @returns a code and a sentence for each thing that will go wrong */
export function adviceOn({
  version,
  role,
  maxMemory,
  evictionPolicy,
}: ServerFacts): [code: string, text: string][] {
  const advice: [string, string][] = []
  if (maxMemory > 0 && evictionPolicy !== '' && !['noeviction', 'volatile-ttl'].includes(evictionPolicy)) {
    advice.push([
      'SCALE_REDIS_EVICTION',
      `its eviction policy is ${evictionPolicy}: when its memory is full it drops sessions, quotas and revocations as it drops cached values. Use noeviction, and another Redis for the cache.`,
    ])
  }
  if (role === 'slave') {
    advice.push([
      'SCALE_REDIS_REPLICA',
      'it is a replica, which takes no writes. Name the primary, or its Sentinels.',
    ])
  }
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (version !== '' && (major < 6 || (major === 6 && minor < 2))) {
    advice.push(['SCALE_REDIS_VERSION', `its version is ${version}; 6.2 is the oldest that is supported.`])
  }
  return advice
}
