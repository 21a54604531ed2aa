import type { RedisClient } from '../client.js'
import { createRedis } from '../connect.js'
import { storeGuard } from '../guard/store-guard.js'
import type { CreateRedisOptions } from '../options.js'
import type { ClientServers } from './client-servers.js'
import { waitUntil } from './wait-until.js'

/** A major of ioredis as it is imported: `import * as ioredis from 'ioredis'`. */
export interface IoredisLibrary {
  readonly Redis: new (...args: never[]) => unknown
  readonly Cluster: new (...args: never[]) => unknown
}

/** One way in which apps make a client. */
export interface ClientRow {
  /** Such as `ioredis 6, Cluster by one seed, keyPrefix`. */
  readonly name: string
  /**
   * Makes the client, at once, as an app does when it starts. Its guard waits for 10 s, so that a busy machine is no outage; all
   * else is as the row says.
   */
  connect(servers: ClientServers): ConnectedClient
}

/** A client that was made by a row. */
export interface ConnectedClient {
  readonly redis: RedisClient
  /** Resolves when it can be used; at once if it connects when it is used. @throws {Error} not within 10 s */
  ready(): Promise<void>
  close(): void
}

type Settings = Readonly<Record<string, unknown>>
type Address = { readonly host: string; readonly port: number }

const PATIENCE_MS = 10_000
const GUARD = { deadlineMs: PATIENCE_MS, patienceMs: PATIENCE_MS }

/** What people set on a client. */
const SETTINGS: Readonly<Record<string, Settings>> = {
  plain: {},
  enableAutoPipelining: { enableAutoPipelining: true },
  lazyConnect: { lazyConnect: true },
  stringNumbers: { stringNumbers: true },
  keyPrefix: { keyPrefix: 'app:' },
  'maxRetriesPerRequest null': { maxRetriesPerRequest: null },
}
const PROTOCOLS: Readonly<Record<string, Settings>> = {
  RESP2: { protocol: 2 },
  RESP3: { protocol: 3 },
  'RESP3 with maps': { protocol: 3, replyMapping: 'resp3' },
}
const ALL_AT_ONCE: Settings = Object.assign({}, ...Object.values(SETTINGS))
/** What only shows on a Cluster, or shows otherwise there. */
const ON_CLUSTER: Readonly<Record<string, Settings>> = {
  'scaleReads slave': { scaleReads: 'slave' },
  'all of these': { ...ALL_AT_ONCE, scaleReads: 'slave' },
}
/** What a Cluster client takes for itself; the rest is for its nodes. */
const OF_CLUSTER = ['enableAutoPipelining', 'lazyConnect', 'keyPrefix', 'scaleReads', 'natMap']

/** How a Cluster is found: by which addresses, and what else has to be said. */
type ClusterWay = (servers: ClientServers) => { seeds: readonly Address[]; natMap?: Record<string, Address> }

const CLUSTER_WAYS = {
  'by all seeds': ({ cluster }) => ({ seeds: cluster.nodes }),
  'by one seed': ({ cluster }) => ({ seeds: cluster.nodes.slice(-1) }),
  'by one service address': ({ service }) => ({ seeds: [service] }),
  'through a NAT': ({ cluster, mapped }) => ({
    seeds: [mapped[0]!],
    natMap: Object.fromEntries(cluster.nodes.map((node, index) => [textOf(node), addressOf(mapped[index]!)])),
  }),
} satisfies Record<string, ClusterWay>

/**
 * The clients that a package has to work with: each kind of Redis, each way to find it and what people set, with each of the given
 * majors of ioredis; and those that `createRedis` makes.
 *
 * @param libraries  by what their rows are to be called, such as `{ 'ioredis 5': ioredis5, 'ioredis 6': ioredis6 }`
 */
export function clientRows(libraries: Readonly<Record<string, IoredisLibrary>>): ClientRow[] {
  const own = Object.entries(libraries).flatMap(([name, library]) =>
    rowsOf(library).map(([kind, make]) => row(`${name}, ${kind}`, make)),
  )
  return [...created(), ...own]
}

type Make = (servers: ClientServers) => RedisClient

function row(name: string, make: Make): ClientRow {
  return {
    name,
    connect: (servers) => {
      const redis = make(servers)
      storeGuard(redis, GUARD)
      return connected(redis, name)
    },
  }
}

function connected(redis: RedisClient, name: string): ConnectedClient {
  // Without a listener ioredis writes errors to the console.
  redis.on('error', () => {})
  const isUsable = (): boolean => redis.status === 'ready' || redis.status === 'wait'
  return {
    redis,
    ready: async () => void (await waitUntil(`that ${name} is ready`, PATIENCE_MS, isUsable)),
    close: () => redis.disconnect?.(),
  }
}

/** Rows of clients that an app makes by itself. */
function rowsOf(library: IoredisLibrary): [kind: string, make: Make][] {
  const { Redis, Cluster } = library as unknown as Record<'Redis' | 'Cluster', RedisConstructor>
  const settings = { ...SETTINGS, ...(Redis.defaultOptions?.protocol === undefined ? {} : PROTOCOLS) }
  const single =
    (own: Settings): Make =>
    ({ single: server }) =>
      new Redis({ ...addressOf(server), ...own })
  const followed =
    (own: Settings): Make =>
    ({ sentinel: { sentinels, name } }) =>
      new Redis({ sentinels: sentinels.map(addressOf), name, ...own })
  const clustered =
    (way: keyof typeof CLUSTER_WAYS, own: Settings): Make =>
    (servers) => {
      const { seeds, ...rest }: ReturnType<ClusterWay> = CLUSTER_WAYS[way](servers)
      return new Cluster(seeds.map(addressOf), clusterOptions({ ...own, ...rest }))
    }
  return [
    ...rows('one server', { ...settings, 'all of these': ALL_AT_ONCE }, single),
    ...rows('Sentinel', { plain: {}, 'all of these': ALL_AT_ONCE }, followed),
    ...rows('Cluster by all seeds', { plain: {} }, (own) => clustered('by all seeds', own)),
    ...rows('Cluster by one seed', { plain: {}, ...ON_CLUSTER }, (own) => clustered('by one seed', own)),
    ...rows('Cluster by one service address', { plain: {} }, (own) =>
      clustered('by one service address', own),
    ),
    ...rows('Cluster through a NAT', { plain: {} }, (own) => clustered('through a NAT', own)),
  ]
}

interface RedisConstructor {
  new (...args: unknown[]): RedisClient
  readonly defaultOptions?: { readonly protocol?: number }
}

function rows(
  kind: string,
  settings: Readonly<Record<string, Settings>>,
  make: (own: Settings) => Make,
): [kind: string, make: Make][] {
  return Object.entries(settings).map(([name, own]) => [`${kind}, ${name}`, make(own)])
}

function clusterOptions(settings: Settings): Settings {
  const entries = Object.entries(settings)
  const isOfCluster = ([name]: [string, unknown]): boolean => OF_CLUSTER.includes(name)
  return {
    ...Object.fromEntries(entries.filter(isOfCluster)),
    redisOptions: Object.fromEntries(entries.filter((entry) => !isOfCluster(entry))),
  }
}

/** Rows of clients that `createRedis` makes. */
function created(): ClientRow[] {
  const byUrl = (
    name: string,
    find: (servers: ClientServers) => [url: string, options?: CreateRedisOptions],
  ) => ({
    name: `createRedis, ${name}`,
    connect: (servers: ClientServers) => {
      const [url, options] = find(servers)
      return connected(createRedis(url, { ...options, guard: GUARD }), name)
    },
  })
  return [
    byUrl('one server', ({ single }) => [single.url]),
    byUrl('Sentinel', ({ sentinel }) => [sentinel.url]),
    ...Object.entries(CLUSTER_WAYS).map(([name, way]) =>
      byUrl(`Cluster ${name}`, (servers) => {
        const { seeds, ...rest }: ReturnType<ClusterWay> = way(servers)
        return [`redis+cluster://${seeds.map(textOf).join(',')}`, rest]
      }),
    ),
  ]
}

function addressOf({ host, port }: Address): { host: string; port: number } {
  return { host, port }
}

function textOf({ host, port }: Address): string {
  return `${host}:${port}`
}
