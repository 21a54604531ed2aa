import { testRedis } from '@scale/devkit/redis-server'
import { type FaultProxy, type RedisServer, startFaultProxy } from '@scale/redis/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CacheOptions } from '../../src/index.js'
import { type Member, startMember } from './fleet.js'

const PROCESSES = 4
const CALLS = 250

/** Who is silent for `deadlineMs` is gone without, and who is for `leaseMs` is replaced: longer than a busy machine stalls. */
const UNHURRIED: CacheOptions = { deadlineMs: 20_000, leaseMs: 30_000 }

let server: RedisServer
let proxy: FaultProxy
let fleet: Member[] = []
beforeAll(async () => {
  server = await testRedis()
  proxy = await startFaultProxy({ target: server })
})
afterAll(async () => {
  await Promise.all(fleet.map((member) => member.kill()))
  await proxy.close()
  await server.stop()
})

async function start(options: CacheOptions): Promise<Member[]> {
  await Promise.all(fleet.map((member) => member.kill()))
  const env = {
    CACHE_URL: proxy.url,
    SOURCE_URL: server.url,
    PREFIX: 'stampede',
    OPTIONS: JSON.stringify(options),
  }
  fleet = await Promise.all(Array.from({ length: PROCESSES }, () => startMember(env)))
  return fleet
}

describe('1,000 concurrent misses of one key over 4 processes', () => {
  it('run the loader once, while Redis answers within the deadline', async () => {
    const members = await start(UNHURRIED)
    const answers = members.map((member) => member.next('values'))
    for (const member of members) member.order({ kind: 'stampede', key: 'one', calls: CALLS, loadMs: 300 })
    const values = (await Promise.all(answers)).flatMap((report) => report.values)
    expect(values).toHaveLength(PROCESSES * CALLS)
    expect(new Set(values).size).toBe(1)
    expect(await server.command('GET', 'loads:one')).toBe('1')
  })

  it('run it once in each process, if Redis is silent for longer than the deadline', async () => {
    const members = await start({ ...UNHURRIED, deadlineMs: 100 })
    await proxy.set({ holdReplies: true })
    const answers = members.map((member) => member.next('values'))
    for (const member of members) member.order({ kind: 'stampede', key: 'alone', calls: CALLS, loadMs: 300 })
    const values = (await Promise.all(answers)).flatMap((report) => report.values)
    await proxy.clear()
    expect(values).toHaveLength(PROCESSES * CALLS)
    expect(await server.command('GET', 'loads:alone')).toBe(String(PROCESSES))
  })

  it('run it twice if the process that leads is killed', async () => {
    const members = await start({ ...UNHURRIED, leaseMs: 3_000 })
    let killed: Member | undefined
    const loading = new Promise<void>((resolve) => {
      for (const member of members) {
        member.onReport(({ kind }) => {
          if (kind !== 'loading' || killed !== undefined) return
          killed = member
          member.child.kill('SIGKILL')
          resolve()
        })
      }
    })
    const answers = members.map((member) => member.next('values'))
    for (const answer of answers) answer.catch(() => {})
    for (const member of members) member.order({ kind: 'stampede', key: 'two', calls: CALLS, loadMs: 300 })
    await loading
    const left = answers.filter((_answer, index) => members[index] !== killed)
    const values = (await Promise.all(left)).flatMap((report) => report.values)
    expect(values).toHaveLength((PROCESSES - 1) * CALLS)
    expect(new Set(values).size).toBe(1)
    expect(await server.command('GET', 'loads:two')).toBe('2')
  })
})
