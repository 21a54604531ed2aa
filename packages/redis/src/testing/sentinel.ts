import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onlineReplicas } from './replication.js'
import { ErrorReply } from './resp.js'
import { sentinelView } from './sentinel-view.js'
import { type RedisServer, type ServerProgram, startRedis, startServer } from './server.js'
import { isAwake, startAll, stopAll } from './several.js'
import { waitUntil } from './wait-until.js'

/** Options of `startRedisSentinel`. */
export interface StartRedisSentinelOptions extends ServerProgram {
  /** The name of the primary. Default `primary` */
  readonly name?: string
  /** Default 1 */
  readonly replicas?: number
  /** How long the primary may be silent before a sentinel holds it for down, ms. Default 1,000 */
  readonly downAfterMs?: number
  /**
   * `hastened`: sentinels look about more often than they would, and give up sooner. `shipped`: as they do by themselves, and
   * `downAfterMs` is 30,000 by default. Default `hastened`
   */
  readonly timing?: 'hastened' | 'shipped'
  /** More arguments of the primary and its replicas, not of the sentinels; they win over ours. Default none */
  readonly args?: readonly string[]
}

/** A private primary with replicas on 127.0.0.1, watched by three sentinels of which two must agree. */
export interface RedisSentinel {
  /** The name of the primary. */
  readonly name: string
  /** The three sentinels. */
  readonly sentinels: readonly RedisServer[]
  /** The primary and its replicas; the one that began as primary comes first. */
  readonly servers: readonly RedisServer[]
  /** The sentinels and the name in one URL, as `createRedis` takes it: `redis+sentinel://127.0.0.1:port,…/name`. */
  readonly url: string
  /** The primary now, in the eyes of the first sentinel that runs. */
  primary(): Promise<RedisServer>
  /**
   * Puts a replica in the place of the primary; resolves with it when all sentinels know and the others follow it.
   *
   * @param how  `handover`: asked for (SENTINEL FAILOVER). `crash`: the primary is killed and the sentinels notice,
   *             `downAfterMs` and 1–3 s later; what was not yet replicated is lost. Default `handover`
   * @throws {Error} no replica was promoted within 20 s
   */
  failover(how?: 'handover' | 'crash'): Promise<RedisServer>
  /**
   * Waits until all sentinels that run know each other and the same primary, and every other server that runs
   * follows it, such as after `restart()` of one that was killed. @throws {Error} they did not within 20 s
   */
  settled(): Promise<void>
  /** Ends all servers and sentinels and removes their files. */
  stop(): Promise<void>
}

const SENTINELS = 3
const QUORUM = 2
const FAILOVER_TIMEOUT_MS = 3_000
const SETTLE_TIMEOUT_MS = { hastened: 20_000, shipped: 120_000 }

/**
 * Starts a primary, replicas and three sentinels on free ports of 127.0.0.1, and resolves when all know each other.
 *
 * @throws {Error} a server did not start, or they did not find each other within 20 s (`shipped`: 2 min)
 */
export async function startRedisSentinel(options: StartRedisSentinelOptions): Promise<RedisSentinel> {
  const { name = 'primary', replicas = 1, args = [], timing = 'hastened' } = options
  const started: RedisServer[] = []
  try {
    const primary = await startRedis(options)
    started.push(primary)
    const following = ['--replicaof', primary.host, `${primary.port}`, ...args]
    started.push(...(await startAll(replicas, () => startRedis({ ...options, args: following }))))
    const servers = [...started]
    const sentinels = await startAll(SENTINELS, () => startSentinel(options, name, primary))
    started.push(...sentinels)
    const group = redisSentinel(name, servers, sentinels, SETTLE_TIMEOUT_MS[timing])
    await group.settled()
    return group
  } catch (error) {
    await stopAll(started)
    throw error
  }
}

async function startSentinel(
  options: StartRedisSentinelOptions,
  name: string,
  primary: RedisServer,
): Promise<RedisServer> {
  const sentinel = await startServer(options, (port, folder) => {
    // A sentinel keeps what it learns in its configuration file.
    const file = join(folder, 'sentinel.conf')
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir "${folder}"`,
      `sentinel monitor ${name} ${primary.host} ${primary.port} ${QUORUM}`,
      ...timesOf(options).map(([setting, ms]) => `sentinel ${setting} ${name} ${ms}`),
    ]
    writeFileSync(file, `${lines.join('\n')}\n`)
    return [file, '--sentinel']
  })
  if (options.timing !== 'shipped') await hasten(sentinel)
  return sentinel
}

function timesOf({ timing, downAfterMs }: StartRedisSentinelOptions): [setting: string, ms: number][] {
  const downAfter = downAfterMs ?? (timing === 'shipped' ? undefined : 1_000)
  return [
    ...(downAfter === undefined ? [] : [['down-after-milliseconds', downAfter] as [string, number]]),
    ...(timing === 'shipped' ? [] : [['failover-timeout', FAILOVER_TIMEOUT_MS] as [string, number]]),
  ]
}

/** From Redis 7 on a sentinel can be told to look about more often than every 2 to 10 s. */
async function hasten(sentinel: RedisServer): Promise<void> {
  const periods = ['INFO-PERIOD', 500, 'PUBLISH-PERIOD', 200, 'ASK-PERIOD', 100]
  try {
    await sentinel.command('SENTINEL', 'DEBUG', ...periods)
  } catch (error) {
    if (!(error instanceof ErrorReply)) throw error
  }
}

function redisSentinel(
  name: string,
  servers: readonly RedisServer[],
  sentinels: readonly RedisServer[],
  settleTimeoutMs: number,
): RedisSentinel {
  /** Any sentinel that can be asked. */
  function witness(): RedisServer {
    const sentinel = sentinels.find(isAwake)
    if (sentinel === undefined) throw new Error('no sentinel runs')
    return sentinel
  }

  const ofPort = (port: number): RedisServer => servers.find((server) => server.port === port)!
  const primary = async (): Promise<RedisServer> => ofPort((await sentinelView(witness(), name)).primaryPort)

  /** The primary on which all agree; `undefined` as long as anything is in motion. */
  async function agreed(): Promise<RedisServer | undefined> {
    const awake = sentinels.filter(isAwake)
    const views = await Promise.all(awake.map((sentinel) => sentinelView(sentinel, name)))
    const chosen = ofPort(views[0]!.primaryPort)
    const others = servers.filter((server) => isAwake(server) && server !== chosen)
    const isSettled = views.every(
      (view) =>
        view.primaryPort === chosen.port &&
        view.primaryIsWell &&
        view.otherSentinels === SENTINELS - 1 &&
        others.every((server) => view.followers.includes(server.port)),
    )
    if (!isSettled || !isAwake(chosen)) return undefined
    const online = await onlineReplicas(chosen)
    return others.every((server) => online.includes(server.port)) ? chosen : undefined
  }

  return {
    name,
    sentinels,
    servers,
    url: `redis+sentinel://${sentinels.map(({ host, port }) => `${host}:${port}`).join(',')}/${name}`,
    primary,
    failover: async (how = 'handover') => {
      const before = await primary()
      if (how === 'crash') await before.kill()
      else await witness().command('SENTINEL', 'FAILOVER', name)
      return waitUntil('the promotion of a replica', settleTimeoutMs, async () => {
        const after = await agreed()
        return after !== before && after
      })
    },
    settled: async () => {
      await waitUntil('that all sentinels agree', settleTimeoutMs, agreed)
    },
    stop: () => stopAll([...sentinels, ...servers]),
  }
}
