import type { RedisServer } from './server.js'

/** A primary and its replicas as one sentinel sees them. */
export interface SentinelView {
  readonly primaryPort: number
  /** Neither suspected nor being replaced. */
  readonly primaryIsWell: boolean
  /** How many sentinels it knows beside itself. */
  readonly otherSentinels: number
  /** The ports of the replicas that follow this primary and are in step. */
  readonly followers: readonly number[]
}

/** @see https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#sentinel-api */
export async function sentinelView(sentinel: RedisServer, name: string): Promise<SentinelView> {
  const primary = fieldsOf(await sentinel.command('SENTINEL', 'MASTER', name))
  const replicas = ((await sentinel.command('SENTINEL', 'REPLICAS', name)) as string[][]).map(fieldsOf)
  const inStep = replicas.filter(
    (replica) =>
      replica.flags === 'slave' &&
      replica['master-link-status'] === 'ok' &&
      replica['master-port'] === primary.port,
  )
  return {
    primaryPort: Number(primary.port),
    primaryIsWell: primary.flags === 'master',
    otherSentinels: Number(primary['num-other-sentinels']),
    followers: inStep.map((replica) => Number(replica.port)),
  }
}

/** A list of names and values by turns. */
function fieldsOf(flat: unknown): Record<string, string> {
  const list = flat as string[]
  return Object.fromEntries(
    list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]!]] : [])),
  )
}
