import assert from 'node:assert/strict'
import type { Mark, RevocationStore } from '../stores/revocation-store.js'
import { type ContractRunner, unique } from './runner.js'

/** A store of marks, and the clock that it reads. */
export interface RevocationStoreUnderTest {
  /** The same one for the whole suite, or a new one: every test uses names of its own. */
  store(): RevocationStore
  /** The store's clock, in epoch ms. */
  now(): Promise<number>
  /** Lets this much time pass for the store, in ms. */
  pass(ms: number): Promise<void>
}

/** What every store of revocations has to do, clause by clause of `RevocationStore`. */
export function revocationStoreContract({ it }: ContractRunner, underTest: RevocationStoreUnderTest): void {
  const tag = (): string => unique('tag')
  const mark = (changes: Partial<Mark> = {}): Mark => ({
    at: undefined,
    aheadMs: 0,
    keptMs: 60_000,
    until: undefined,
    ...changes,
  })

  it('gives back what was set, in the order that was asked for', async () => {
    const [store, user] = [underTest.store(), tag()]
    await store.raise(user, 'a', mark({ at: 1 }))
    await store.raise(user, 'b', mark({ at: 1_800_000_000_123 }))
    assert.deepEqual(await store.get(user, ['b', 'none', 'a', 'a']), [1_800_000_000_123, undefined, 1, 1])
  })

  it('keeps users apart, and names of every kind', async () => {
    const [store, one, other] = [underTest.store(), tag(), tag()]
    const names = ['', 'a b', 'a:b', '{x}', 'ключ', '\n', '__proto__', 'x'.repeat(1_024)]
    for (const [index, name] of names.entries()) await store.raise(one, name, mark({ at: index + 1 }))
    assert.deepEqual(
      await store.get(one, names),
      names.map((_, index) => index + 1),
    )
    assert.deepEqual(
      await store.get(other, names),
      names.map(() => undefined),
    )
  })

  it('without an instant takes its own clock, and so much more as clocks may be apart', async () => {
    const [store, user] = [underTest.store(), tag()]
    const before = await underTest.now()
    await store.raise(user, 'a', mark())
    await store.raise(user, 'b', mark({ aheadMs: 10_000 }))
    const after = await underTest.now()
    const [a, b] = (await store.get(user, ['a', 'b'])) as [number, number]
    assert.ok(Math.floor(before) <= a && a <= after, `${before} ≤ ${a} ≤ ${after}`)
    assert.ok(Math.floor(before) + 10_000 <= b && b <= after + 10_000, `${b}`)
  })

  it('never goes back, whoever raises the mark after', async () => {
    const [store, user] = [underTest.store(), tag()]
    const ahead = Math.floor(await underTest.now()) + 3_600_000
    await store.raise(user, 'a', mark({ at: ahead }))
    await store.raise(user, 'a', mark())
    await store.raise(user, 'a', mark({ at: 1 }))
    assert.deepEqual(await store.get(user, ['a']), [ahead])
    await store.raise(user, 'a', mark({ at: ahead + 1 }))
    assert.deepEqual(await store.get(user, ['a']), [ahead + 1])
  })

  it('keeps a mark for as long as anybody asked for', async () => {
    const [store, user] = [underTest.store(), tag()]
    await store.raise(user, 'a', mark({ at: 1, keptMs: 50 }))
    await store.raise(user, 'a', mark({ at: 2 }))
    await store.raise(user, 'a', mark({ at: 3, keptMs: 50 }))
    await underTest.pass(60)
    assert.deepEqual(await store.get(user, ['a']), [3])
  })

  it('forgets a mark at its end, or when nobody needs it any more, by its own clock', async () => {
    const [store, user] = [underTest.store(), tag()]
    const soon = Math.floor(await underTest.now()) + 50
    await store.raise(user, 'a', mark({ keptMs: 50 }))
    await store.raise(user, 'b', mark({ until: soon }))
    await store.raise(user, 'c', mark({ until: 1 }))
    await store.raise(user, 'd', mark({ until: soon + 3_600_000 }))
    await underTest.pass(60)
    const [a, b, c, d] = await store.get(user, ['a', 'b', 'c', 'd'])
    assert.deepEqual([a, b, c], [undefined, undefined, undefined])
    assert.ok(d !== undefined)
  })
}
