import { describe, expect, it } from 'vitest'
import { createQuota } from '../../src/algorithms/quota.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { storeContract } from '../../src/testing/index.js'

describe('MemoryStore', () => {
  let nowMs = 1_000
  storeContract(
    { describe, it },
    {
      create: () => new MemoryStore({ clock: () => nowMs }),
      key: (name) => name,
      pass: async (ms) => {
        nowMs += ms
      },
    },
  )

  it('answers at once', () => {
    const quota = createQuota('p', { algorithm: 'fixed', quota: 1, windowMs: 1_000 })
    expect(new MemoryStore().consume([{ key: 'k', quota, cost: 1 }], 1, 1)).not.toBeInstanceOf(Promise)
  })
})
