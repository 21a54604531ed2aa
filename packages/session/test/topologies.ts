import { findRedisServer } from '@scale/devkit/redis-server'
import { createRedis, type RedisClient, whenReady } from '@scale/redis'
import {
  type RedisCluster,
  type RedisSentinel,
  type RedisServer,
  type ServerProgram,
  startRedis,
  startRedisCluster,
  startRedisSentinel,
} from '@scale/redis/testing'
import { afterAll, beforeAll } from 'vitest'

/** A Redis of one of the kinds that are supported, and a client of it. */
export interface TestTopology {
  servers: RedisServer | RedisCluster | RedisSentinel
  client: RedisClient
  /** All keys that match, wherever they are. */
  keys(pattern: string): Promise<string[]>
}

type Topology = 'standalone' | 'Cluster' | 'Sentinel'

const starts: Record<Topology, (program: ServerProgram) => Promise<TestTopology['servers']>> = {
  standalone: startRedis,
  Cluster: startRedisCluster,
  Sentinel: startRedisSentinel,
}

/** The kinds of Redis that are supported. */
export const topologies: Topology[] = ['standalone', 'Cluster', 'Sentinel']

/** Starts a Redis of a kind before the tests of a block, and stops it after them. */
export function useTopology(kind: Topology): TestTopology {
  const test = {} as TestTopology
  let disconnect: (() => void) | undefined
  beforeAll(async () => {
    test.servers = await starts[kind](await findRedisServer())
    const client = createRedis(test.servers.url, { guard: { deadlineMs: 2_000 } })
    disconnect = () => client.disconnect()
    if (!(await whenReady(client, 10_000))) throw new Error(`no connection to ${kind}`)
    await everyNodeAnswers(client)
    test.client = client
    test.keys = async (pattern) => {
      const nodes = 'nodes' in test.servers ? test.servers.nodes : [await primaryOf(test.servers)]
      const found = await Promise.all(nodes.map((node) => node.running && node.command('KEYS', pattern)))
      return [...new Set(found.flat().filter((key) => typeof key === 'string'))]
    }
  }, 60_000)
  afterAll(async () => {
    disconnect?.()
    await test.servers?.stop()
  })
  return test
}

/** A Cluster client is ready before it is connected to every node. */
export async function everyNodeAnswers(client: RedisClient): Promise<void> {
  const ask = async (): Promise<boolean> => {
    const asked = Array.from({ length: 32 }, (_, index) => client.call('get', [`any-${index}`]))
    return (await Promise.allSettled(asked)).every(({ status }) => status === 'fulfilled')
  }
  const giveUpAt = performance.now() + 10_000
  while (!(await ask())) {
    if (performance.now() > giveUpAt) throw new Error('a node did not answer within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function primaryOf(servers: RedisServer | RedisSentinel): Promise<RedisServer> {
  return 'primary' in servers ? servers.primary() : servers
}
