import { setTimeout as delay } from 'node:timers/promises'
import { findRedisServer, testRedis } from '@scale/devkit/redis-server'
import { type RedisServer, startRedisCluster, startRedisSentinel } from '@scale/redis/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { cutOff } from '../cut-off.js'
import { until } from '../until.js'
import { startMember } from './fleet.js'
import { tooOld } from './too-old.js'

const PROCESSES = 3
const LIVENESS_MS = 500
const DURATION_MS = 14_000
/** The log of invalidations, by which copies in process are kept honest on a Cluster. */
const STREAM_KEY = 'scale:redis:1:invalidations'

/** Where the cache lies. `crash` kills a primary, with what its replica has not heard of. */
interface Deployment {
  readonly url: string
  crash(round: number): Promise<void>
}

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** The replicas hear nothing of the last writes: as much is lost as can be. */
async function killUnheard(primary: RedisServer, replicas: readonly RedisServer[]): Promise<void> {
  await cutOff(primary, replicas)
  await delay(150)
  await primary.kill()
  for (const replica of replicas) replica.resume()
}

async function cluster(): Promise<Deployment> {
  const started = await startRedisCluster(await findRedisServer())
  closing.push(() => started.stop())
  const streamSlot = await started.slotOf(STREAM_KEY)
  return {
    url: started.url,
    crash: async (round) => {
      // First the node that holds the log, then one that does not.
      const slot = round === 0 ? streamSlot : (streamSlot + 6_000) % 16_384
      const primary = await started.primaryOf(slot)
      await killUnheard(primary, await started.replicasOf(primary))
      await until(async () => (await started.primaryOf(slot).catch(() => primary)) !== primary, 15_000)
    },
  }
}

async function sentinel(): Promise<Deployment> {
  const started = await startRedisSentinel(await findRedisServer())
  closing.push(() => started.stop())
  return {
    url: started.url,
    crash: async () => {
      await started.settled()
      const primary = await started.primary()
      await killUnheard(
        primary,
        started.servers.filter((server) => server !== primary),
      )
      await until(async () => (await started.primary()) !== primary, 15_000)
      await primary.restart()
    },
  }
}

describe.each([
  ['Cluster', cluster],
  ['Sentinel', sentinel],
])('%s fail-over by crash, twice, during random operations of several processes', (_name, make) => {
  it('no read is older than an acknowledged invalidation by more than δ', { timeout: 90_000 }, async () => {
    const [deployment, source] = [await make(), await testRedis()]
    closing.push(() => source.stop())
    const env = {
      CACHE_URL: deployment.url,
      SOURCE_URL: source.url,
      PREFIX: 'failover',
      OPTIONS: JSON.stringify({ livenessMs: LIVENESS_MS, leaseMs: 500, deadlineMs: 50 }),
      RECONNECT_AFTER_MS: '500',
    }
    const fleet = await Promise.all(Array.from({ length: PROCESSES }, () => startMember(env)))
    closing.unshift(() => Promise.all(fleet.map((member) => member.kill())))
    const reports = fleet.map((one) => one.next('race'))
    for (const one of fleet) one.order({ kind: 'race', over: 'calls', keys: 60, durationMs: DURATION_MS })

    await delay(2_000)
    await deployment.crash(0)
    await delay(500)
    await deployment.crash(1)

    const results = await Promise.all(reports)
    const reads = results.flatMap((result) => result.reads)
    const writes = results.flatMap((result) => result.writes)
    const hits = results.reduce((sum, result) => sum + result.hits, 0)
    expect(tooOld(reads, writes, LIVENESS_MS)).toEqual([])
    // It was a race, copies took part in it, and it went on after the second crash.
    expect(reads.length).toBeGreaterThan(1_000)
    expect(writes.length).toBeGreaterThan(20)
    expect(hits).toBeGreaterThan(200)
  })
})
