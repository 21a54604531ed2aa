import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../src/stores/memory.js'
import { digestOf, newRef, newToken } from '../../src/stores/token.js'
import { sessionStoreContract } from '../../src/testing/index.js'

let nowMs = 0
const store = memoryStore({ clock: () => nowMs })

describe('memory store', () => {
  sessionStoreContract(
    { describe, it },
    {
      store: () => store,
      setClock: (ms) => {
        nowMs = ms
      },
    },
  )

  it('lets the session go that was not used for the longest time when it is full', async () => {
    const small = memoryStore({ maxSessions: 2 })
    const refs = [newRef(undefined), newRef(undefined), newRef('u')]
    for (const [index, ref] of refs.entries()) {
      const digest = digestOf(newToken(ref))
      const userId = index === 2 ? 'u' : undefined
      const times = { persistent: undefined, idleTimeoutMs: 60_000, absoluteTimeoutMs: 60_000 }
      await small.create(ref, { digest, userId, client: '', data: [], maxPerUser: undefined, ...times })
    }
    expect(refs.map((ref) => small.load(ref) !== undefined)).toEqual([false, true, true])
  })
})
