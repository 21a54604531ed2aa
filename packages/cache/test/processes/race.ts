import { setTimeout as delay } from 'node:timers/promises'
import { testRedis } from '@scale/devkit/redis-server'
import { type FaultProxy, startFaultProxy } from '@scale/redis/testing'
import { type Member, startMember } from './fleet.js'
import type { ReadEvent, WriteEvent } from './worker.js'

const PROCESSES = 3
export const LIVENESS_MS = 500

/** What a fleet has read and written while everything failed that can. */
export interface Raced {
  readonly reads: readonly ReadEvent[]
  readonly writes: readonly WriteEvent[]
  /** Reads that a copy in process answered. */
  readonly hits: number
}

/**
 * Processes that read and write at random, each with a way of its own to Redis, one as a user who may neither use channels
 * nor CLIENT, one that is killed in the middle; and Redis, its network and the processes fail in turn.
 */
export async function race(over: 'calls' | 'http', durationMs: number): Promise<Raced> {
  const plain = ['--user', 'plain', 'on', '>pw', '~*', 'resetchannels', '+@all', '-@pubsub', '-client']
  const [cacheServer, source] = await Promise.all([testRedis({ args: plain }), testRedis()])
  const proxies = await Promise.all(
    Array.from({ length: PROCESSES }, () => startFaultProxy({ target: cacheServer })),
  )
  const member = ({ url }: FaultProxy, user: string): Promise<Member> =>
    startMember({
      CACHE_URL: url.replace('//', `//${user}`),
      SOURCE_URL: source.url,
      PREFIX: `race-${over}`,
      OPTIONS: JSON.stringify({ livenessMs: LIVENESS_MS, leaseMs: 500, deadlineMs: 50 }),
      RECONNECT_AFTER_MS: '500',
    })
  const fleet: Member[] = []
  try {
    const users = ['', '', 'plain:pw@']
    fleet.push(...(await Promise.all(proxies.map((proxy, index) => member(proxy, users[index]!)))))
    const racing = [...fleet]
    const victim = await member(proxies[0]!, '')
    fleet.push(victim)
    const reports = Promise.all(racing.map((one) => one.next('race')))
    for (const one of fleet) one.order({ kind: 'race', over, keys: 30, durationMs })

    const endsAt = Date.now() + durationMs - 1_000
    const diesAt = endsAt - durationMs / 2
    const any = <Item>(items: readonly Item[]): Item => items[Math.floor(Math.random() * items.length)]!
    const faults: (() => Promise<unknown> | unknown)[] = [
      () => any(proxies).set({ latencyMs: 30 }),
      () => any(proxies).set({ latencyMs: 200 }),
      () => any(proxies).set({ blackHole: true }),
      () => any(proxies).set({ holdReplies: true }),
      () => any(proxies).reset(),
      () => any(proxies).halfOpen(),
      () => any(proxies).set({ refuse: true }),
      () => cacheServer.pause(),
      () => cacheServer.restart(),
      // What it had in hand when it was stopped it goes on with.
      () => any(racing).child.kill('SIGSTOP'),
    ]
    for (let step = 0; Date.now() < endsAt; step++) {
      await faults[step % faults.length]!()
      await delay(100 + Math.random() * 500)
      cacheServer.resume()
      for (const { child } of racing) child.kill('SIGCONT')
      if (Date.now() > diesAt) await victim.kill()
      await Promise.all(proxies.map((proxy) => proxy.clear()))
      await delay(Math.random() * 300)
    }
    const results = await reports
    return {
      reads: results.flatMap(({ reads }) => reads),
      writes: results.flatMap(({ writes }) => writes),
      hits: results.reduce((sum, { hits }) => sum + hits, 0),
    }
  } finally {
    await Promise.all(fleet.map((one) => one.kill()))
    await Promise.all(proxies.map((proxy) => proxy.close()))
    await Promise.all([cacheServer.stop(), source.stop()])
  }
}
