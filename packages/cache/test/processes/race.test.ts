import { expect, it } from 'vitest'
import { LIVENESS_MS, race } from './race.js'
import { tooOld } from './too-old.js'

it.each(['calls', 'http'] as const)(
  'no read is older than an acknowledged invalidation by more than δ, whatever fails: %s',
  { timeout: 60_000 },
  async (over) => {
    const { reads, writes, hits } = await race(over, 7_000)
    expect(tooOld(reads, writes, LIVENESS_MS)).toEqual([])
    // It was a race, and copies took part in it.
    expect(reads.length).toBeGreaterThan(500)
    expect(writes.length).toBeGreaterThan(10)
    expect(hits).toBeGreaterThan(100)
  },
)

it('the check itself finds a read that is too old', () => {
  const writes = [{ key: 'a', version: 3, acknowledgedAt: 1_000 }]
  const read = { key: 'a', version: 2, startedAt: 1_000 + LIVENESS_MS }
  expect(tooOld([read], writes, LIVENESS_MS)).toHaveLength(1)
  expect(tooOld([{ ...read, startedAt: read.startedAt - 1 }], writes, LIVENESS_MS)).toHaveLength(0)
})
