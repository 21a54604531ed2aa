import { findRedisServer } from '@scale/devkit/redis-server'
import { createRedis, RedisUnavailable, slotOf, whenReady } from '@scale/redis'
import { startRedisCluster, startRedisSentinel } from '@scale/redis/testing'
import { expect, it } from 'vitest'
import { SessionEnded, type Sessions, session } from '../src/index.js'
import { refOf } from '../src/stores/token.js'
import { everyNodeAnswers } from './topologies.js'

type Data = Record<string, number>

const headers = (token: string) => ({ cookie: `__Host-session=${token}` })

/** What was answered, while servers were moved about. */
interface Account {
  /** By token: the keys whose save was answered. */
  saved: Map<string, string[]>
  /** Tokens whose logout was answered. */
  ended: string[]
  unavailable: number
}

/** Writes to sessions and ends some of them until told to stop; counts only what was answered. */
async function keepWriting(
  sessions: Sessions<Data>,
  tokens: string[],
  isOver: () => boolean,
): Promise<Account> {
  const account: Account = { saved: new Map(tokens.map((token) => [token, []])), ended: [], unavailable: 0 }
  await Promise.all(tokens.map((token, index) => writeTo(token, index)))
  return account

  async function writeTo(token: string, index: number): Promise<void> {
    for (let n = 0; !isOver(); n++) {
      try {
        const one = await sessions.load(headers(token))
        if (one.userId === undefined) throw new Error('a session is gone that nobody ended')
        one.data[`k${n}`] = n
        await one.save()
        account.saved.get(token)!.push(`k${n}`)
      } catch (error) {
        // A save that timed out may have been carried out: then it is not counted, and may be there.
        if (!(error instanceof RedisUnavailable)) throw error
        account.unavailable++
      }
      // Not to flood a server that is being replaced.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    if (index % 2 === 0) return
    const one = await sessions.load(headers(token))
    await one.destroy()
    account.ended.push(token)
  }
}

async function check(sessions: Sessions<Data>, { saved, ended }: Account): Promise<void> {
  for (const [token, keys] of saved) {
    const one = await sessions.load(headers(token))
    if (ended.includes(token)) {
      expect(one.isNew).toBe(true)
    } else {
      expect(keys.filter((key) => one.data[key] === undefined)).toEqual([])
    }
  }
}

async function logins(sessions: Sessions<Data>, count: number): Promise<string[]> {
  return Promise.all(
    Array.from(
      { length: count },
      async (_, index) => (await (await sessions.load({})).login(`user-${index}`)).token,
    ),
  )
}

it('Cluster: a slot moved and a primary replaced under load lose nothing that was answered', {
  timeout: 90_000,
}, async () => {
  const cluster = await startRedisCluster(await findRedisServer())
  const redis = createRedis(cluster.url, { guard: { deadlineMs: 500 } })
  try {
    expect(await whenReady(redis, 10_000)).toBe(true)
    await everyNodeAnswers(redis)
    const sessions = session<Data>({ redis })
    const tokens = await logins(sessions, 12)
    let over = false
    const writing = keepWriting(sessions, tokens, () => over)
    const slot = slotOf(`{${refOf(tokens[0]!).tag}}`)
    const from = await cluster.primaryOf(slot)
    const to = cluster.nodes.slice(0, 3).find((node) => node !== from)!
    await cluster.moveSlot(slot, to)
    const replaced = await cluster.failover(to)
    expect(replaced).not.toBe(to)
    // Every session has to be writable again, on whichever node it is now.
    await expect.poll(() => allWritable(sessions, tokens), { timeout: 20_000 }).toBe(true)
    over = true
    const account = await writing
    expect([...account.saved.values()].every((keys) => keys.length > 0)).toBe(true)
    await check(sessions, account)
  } finally {
    redis.disconnect()
    await cluster.stop()
  }
})

it('Sentinel: a primary replaced loses nothing that its replica has, and revives nothing', {
  timeout: 90_000,
}, async () => {
  const group = await startRedisSentinel(await findRedisServer())
  const redis = createRedis(group.url, { guard: { deadlineMs: 500 } })
  try {
    expect(await whenReady(redis, 10_000)).toBe(true)
    await everyNodeAnswers(redis)
    const sessions = session<Data>({ redis })
    const tokens = await logins(sessions, 12)
    let over = false
    const account: Account[] = []
    const writing = keepWriting(sessions, tokens, () => over).then((done) => account.push(done))
    await expect.poll(() => allWritable(sessions, tokens), { timeout: 20_000 }).toBe(true)
    over = true
    await writing
    // Sentinel hands over to a replica whatever that has got so far: what is counted has to be there first.
    expect(await redis.wait(1, 10_000)).toBe(1)
    await group.failover()
    await expect.poll(() => allReadable(sessions, tokens, account[0]!.ended), { timeout: 20_000 }).toBe(true)
    await check(sessions, account[0]!)
    const slow = await sessions.load(headers(tokens[0]!))
    slow.data.late = 1
    await (await sessions.load(headers(tokens[0]!))).destroy()
    await expect(slow.save()).rejects.toBeInstanceOf(SessionEnded)
  } finally {
    redis.disconnect()
    await group.stop()
  }
})

async function allWritable(sessions: Sessions<Data>, tokens: string[]): Promise<boolean> {
  const outcomes = await Promise.allSettled(
    tokens.map(async (token) => {
      const one = await sessions.load(headers(token))
      await one.touch()
      return one.userId !== undefined
    }),
  )
  return outcomes.every((outcome) => outcome.status === 'fulfilled' && outcome.value)
}

async function allReadable(sessions: Sessions<Data>, tokens: string[], ended: string[]): Promise<boolean> {
  const outcomes = await Promise.allSettled(tokens.map((token) => sessions.load(headers(token))))
  return outcomes.every(
    (outcome, index) =>
      outcome.status === 'fulfilled' &&
      (outcome.value.userId !== undefined || ended.includes(tokens[index]!)),
  )
}
