import { InvalidRedisUrl } from './errors.js'

/** Where a server listens. */
export interface RedisAddress {
  host: string
  port: number
}

/** What a connection URL says. */
export interface RedisTarget {
  kind: 'standalone' | 'sentinel' | 'cluster'
  tls: boolean
  /** Servers for standalone (one) and Cluster, sentinels for Sentinel. */
  addresses: RedisAddress[]
  username: string | undefined
  password: string | undefined
  /** Database number; 0 in a Cluster. */
  db: number
  /** Sentinel only: the name of the primary's group. */
  name: string | undefined
  /** IP version: 0 for whichever there is. `undefined`: as ioredis does. */
  family: 0 | 4 | 6 | undefined
  /** Sentinel only: who the sentinels are told that this is. */
  sentinelUsername: string | undefined
  sentinelPassword: string | undefined
}

const DEFAULT_PORT = { standalone: 6_379, cluster: 6_379, sentinel: 26_379 } as const

/**
 * Reads a connection URL.
 *
 * - `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS
 * - `redis+sentinel://[user:password@]host[:port],host[:port]…/name[/db]`, `rediss+sentinel://`
 * - `redis+cluster://[user:password@]host[:port],host[:port]…`, `rediss+cluster://`
 *
 * User and password are percent-encoded and belong to the servers, not to the sentinels. Parameters: `family=0|4|6` for the IP
 * version (0: whichever there is), and for sentinels `sentinelUsername`, `sentinelPassword`.
 *
 * @throws {InvalidRedisUrl} names the part that is wrong, never its value
 */
export function parseRedisUrl(url: string): RedisTarget {
  const match =
    /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/@?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(url)
  if (match === null) {
    throw new InvalidRedisUrl(
      'it must look like redis://host:port/db, redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port',
    )
  }
  const [, s, mode, credentials, hosts, path = '', query = ''] = match
  const kind = (mode ?? 'standalone') as RedisTarget['kind']
  const addresses = hosts!.split(',').map((host) => parseAddress(host, DEFAULT_PORT[kind]))
  if (kind === 'standalone' && addresses.length > 1) {
    throw new InvalidRedisUrl('several hosts need redis+sentinel:// or redis+cluster://')
  }
  const segments = path === '' ? [] : path.split('/').map((segment) => decode(segment, 'path'))
  const name = kind === 'sentinel' ? segments.shift() : undefined
  if (kind === 'sentinel' && !name)
    throw new InvalidRedisUrl('the name of the primary is missing after the sentinels')
  const db = parseDb(segments)
  if (kind === 'cluster' && db !== 0) throw new InvalidRedisUrl('a Cluster has no database but 0')
  return {
    kind,
    tls: s === 's',
    addresses,
    ...parseCredentials(credentials),
    db,
    name,
    ...parseQuery(query, kind),
  }
}

const FAMILIES = { 0: 0, 4: 4, 6: 6 } as const

function parseQuery(
  text: string,
  kind: RedisTarget['kind'],
): Pick<RedisTarget, 'family' | 'sentinelUsername' | 'sentinelPassword'> {
  const parameters = new Map(new URLSearchParams(text))
  const taken = (name: string): string | undefined => {
    const value = parameters.get(name)
    parameters.delete(name)
    return value
  }
  const family = taken('family')
  const isFamily = (value: string): value is `${keyof typeof FAMILIES}` => Object.hasOwn(FAMILIES, value)
  if (family !== undefined && !isFamily(family)) throw new InvalidRedisUrl('`family` must be 0, 4 or 6')
  const sentinel =
    kind === 'sentinel'
      ? { sentinelUsername: taken('sentinelUsername'), sentinelPassword: taken('sentinelPassword') }
      : { sentinelUsername: undefined, sentinelPassword: undefined }
  if (parameters.size > 0) {
    throw new InvalidRedisUrl(
      'it has a parameter that is not known here; there are `family`, and for sentinels `sentinelUsername` and `sentinelPassword`',
    )
  }
  return { family: family === undefined ? undefined : FAMILIES[family], ...sentinel }
}

function parseAddress(text: string, defaultPort: number): RedisAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text)
  const port = match?.[3] === undefined ? defaultPort : Number(match[3])
  if (match === null || port < 1 || port > 65_535) throw new InvalidRedisUrl('a host or port is not valid')
  return { host: match[1] ?? match[2]!, port }
}

function parseCredentials(text: string | undefined): Pick<RedisTarget, 'username' | 'password'> {
  if (text === undefined || text === '') return { username: undefined, password: undefined }
  const colon = text.indexOf(':')
  const username = decode(colon === -1 ? text : text.slice(0, colon), 'user name')
  const password = colon === -1 ? undefined : decode(text.slice(colon + 1), 'password')
  return { username: username === '' ? undefined : username, password }
}

function parseDb(segments: readonly string[]): number {
  const [db = '0', ...rest] = segments
  if (!/^\d{1,5}$/.test(db) || rest.length > 0) throw new InvalidRedisUrl('the database must be a number')
  return Number(db)
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new InvalidRedisUrl(`the ${part} is not percent-encoded text (${(cause as Error).name})`)
  }
}
