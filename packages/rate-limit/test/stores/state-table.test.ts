import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { createQuota } from '../../src/algorithms/quota.js'
import { MemoryStore } from '../../src/stores/memory.js'

const HOUR = 3_600_000

describe('the in-process store under 1,000,000 keys', () => {
  const fixed = createQuota('p', { algorithm: 'fixed', quota: 3, windowMs: HOUR })
  const ask = (store: MemoryStore, key: string, count = 1) =>
    store.consume([{ key, quota: fixed, cost: 1 }], count, 1).granted

  it('stays within its bounds, and never forgets who has spent the quota', () => {
    let now = 0
    const store = new MemoryStore({ maxKeys: 10_000, clock: () => now })
    const blocked = Array.from({ length: 100 }, (_, index) => `blocked ${index}`)
    for (const key of blocked) expect(ask(store, key, 9)).toBe(3)
    const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    for (let index = 0; index < 1_000_000; index++) {
      if (index % 1_000 === 0) now++
      ask(store, `flood ${index}`)
    }
    expect(store.size).toBeLessThanOrEqual(10_000)
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(timers)
    expect(blocked.map((key) => ask(store, key))).toEqual(blocked.map(() => 0))
    now += HOUR
    expect(blocked.map((key) => ask(store, key))).toEqual(blocked.map(() => 1))
  })

  it('holds no more than its memory bound', () => {
    const store = new MemoryStore({ maxKeys: 10_000 })
    const before = heap()
    for (let index = 0; index < 1_000_000; index++) ask(store, `flood ${index}`)
    // 10,000 entries of some 300 bytes; a million would be 100 times as much.
    expect(heap() - before).toBeLessThan(15_000_000)
    expect(store.size).toBe(10_000)
  })

  it('counts newcomers too high rather than not at all when all places are held by the blocked', () => {
    const store = new MemoryStore({ maxKeys: 1_000 })
    for (let index = 0; index < 1_000; index++) ask(store, `blocked ${index}`, 3)
    for (let round = 0; round < 3; round++) ask(store, 'newcomer')
    expect(ask(store, 'newcomer')).toBe(0)
    for (let index = 0; index < 100_000; index++) ask(store, `flood ${index}`)
    expect(ask(store, 'newcomer')).toBe(0)
    expect(ask(store, 'blocked 7')).toBe(0)
    expect(store.size).toBe(1_000)
  })
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heap(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
