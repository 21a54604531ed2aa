import assert from 'node:assert/strict'
import type { ReplayStore } from '../stores/replay-store.js'
import { type ContractRunner, unique } from './runner.js'

/** A store of used proofs, and the clock that it reads. */
export interface ReplayStoreUnderTest {
  /** The same one for the whole suite, or a new one: every test uses names of its own. */
  store(): ReplayStore
  /** Lets this much time pass for the store, in ms. */
  pass(ms: number): Promise<void>
}

/** What every store of used proofs has to do, clause by clause of `ReplayStore`. */
export function replayStoreContract({ it }: ContractRunner, underTest: ReplayStoreUnderTest): void {
  it('lets a name be claimed once, and names apart', async () => {
    const [store, one, other] = [underTest.store(), unique('name'), unique('name')]
    assert.equal(await store.claim(one, 60_000), true)
    assert.equal(await store.claim(one, 60_000), false)
    assert.equal(await store.claim(other, 60_000), true)
  })

  it('gives a name to one of many who claim it at once', async () => {
    const [store, name] = [underTest.store(), unique('name')]
    const claims = await Promise.all(Array.from({ length: 50 }, async () => store.claim(name, 60_000)))
    assert.equal(claims.filter((claim) => claim).length, 1)
  })

  it('lets a name be claimed anew after its end, and not by a claim that failed', async () => {
    const [store, name] = [underTest.store(), unique('name')]
    assert.equal(await store.claim(name, 50), true)
    assert.equal(await store.claim(name, 60_000), false)
    await underTest.pass(60)
    assert.equal(await store.claim(name, 60_000), true)
    assert.equal(await store.claim(name, 60_000), false)
  })

  it('takes every name that may be asked for', async () => {
    const store = underTest.store()
    for (const name of ['-', '_', 'x'.repeat(64), '__proto__', '{a}']) {
      assert.equal(await store.claim(name + unique(''), 60_000), true)
    }
  })
}
