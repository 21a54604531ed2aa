import { describe, expect, it } from 'vitest'
import { digestOf, newRefreshToken, refOf } from '../../src/issuer/refresh-token.js'
import { memoryFamilyStore } from '../../src/stores/memory-family.js'
import { memoryRevocationStore } from '../../src/stores/memory-revocation.js'
import { familyStoreContract, revocationStoreContract } from '../../src/testing/index.js'

let nowMs = 0
const clock = (): number => nowMs
const families = memoryFamilyStore({ clock })
const revocations = memoryRevocationStore({ clock })

describe('families in memory', () => {
  familyStoreContract(
    { describe, it },
    {
      store: () => families,
      setClock: (ms) => {
        nowMs = ms
      },
    },
  )

  it('let the one go that was not used for the longest time when there are too many', async () => {
    const small = memoryFamilyStore({ maxFamilies: 2 })
    const tokens = ['a', 'b', 'c'].map(newRefreshToken)
    for (const token of tokens) {
      const times = { idleTimeoutMs: 60_000, absoluteTimeoutMs: 60_000 }
      await small.create(refOf(token), {
        digest: digestOf(token),
        userId: 'u',
        ...times,
        grant: '',
        device: '',
        boundTo: '',
        maxPerUser: 10,
      })
    }
    expect(await Promise.all(tokens.map((token) => small.end(refOf(token))))).toEqual([undefined, 'u', 'u'])
  })
})

describe('revocations in memory', () => {
  revocationStoreContract(
    { describe, it },
    {
      store: () => revocations,
      now: async () => nowMs,
      pass: async (ms) => {
        nowMs += ms
      },
    },
  )

  it('let the first go when there are too many', async () => {
    const small = memoryRevocationStore({ maxMarks: 2 })
    for (const name of ['a', 'b', 'c']) {
      await small.raise('t', name, { at: 1, aheadMs: 0, keptMs: 60_000, until: undefined })
    }
    expect(small.get('t', ['a', 'b', 'c'])).toEqual([undefined, 1, 1])
  })
})
