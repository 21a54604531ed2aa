import { type RedisCluster, startRedisCluster } from './cluster.js'
import { type FaultProxy, startFaultProxy } from './fault-proxy.js'
import { type RedisSentinel, startRedisSentinel } from './sentinel.js'
import { type RedisServer, type ServerProgram, startRedis } from './server.js'

/** Every kind of Redis that is supported, and the ways to it. */
export interface ClientServers {
  readonly single: RedisServer
  readonly sentinel: RedisSentinel
  readonly cluster: RedisCluster
  /** One address before the whole Cluster. */
  readonly service: FaultProxy
  /** Where each node of the Cluster, in their order, is found from another network. */
  readonly mapped: readonly FaultProxy[]
  /** Ends all of them and removes their files. */
  stop(): Promise<void>
}

/** Starts what the clients of `clientRows` connect to, in some 2 s. @throws {Error} one of them did not start */
export async function startClientServers(program: ServerProgram): Promise<ClientServers> {
  const [single, sentinel, cluster] = await Promise.all([
    startRedis(program),
    startRedisSentinel(program),
    startRedisCluster(program),
  ])
  const service = await startFaultProxy({ target: cluster.nodes })
  const mapped = await Promise.all(cluster.nodes.map((target) => startFaultProxy({ target })))
  return {
    single,
    sentinel,
    cluster,
    service,
    mapped,
    stop: async () => {
      await Promise.all([service, ...mapped].map((proxy) => proxy.close()))
      await Promise.all([single, sentinel, cluster].map((servers) => servers.stop()))
    },
  }
}
