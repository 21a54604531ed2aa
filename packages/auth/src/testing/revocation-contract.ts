import assert from 'node:assert/strict'
import type { RevocationStore } from '../revocation-store.js'
import { type ContractRunner, unique } from './runner.js'

/** A store of marks, and the clock that it reads. */
export interface RevocationStoreUnderTest {
  /** The same one for the whole suite, or a new one: every test uses names of its own. */
  store(): RevocationStore
  /** Lets this much time pass for the store, in ms. */
  pass(ms: number): Promise<void>
}

/** What every store of revocations has to do, clause by clause of `RevocationStore`. */
export function revocationStoreContract({ it }: ContractRunner, underTest: RevocationStoreUnderTest): void {
  const tag = (): string => unique('tag')

  it('gives back what was set, in the order that was asked for', async () => {
    const [store, user] = [underTest.store(), tag()]
    await store.set(user, 'a', '1', 60_000)
    await store.set(user, 'b', 'two', 60_000)
    assert.deepEqual(await store.get(user, ['b', 'none', 'a', 'a']), ['two', undefined, '1', '1'])
  })

  it('keeps users apart, and names of every kind', async () => {
    const [store, one, other] = [underTest.store(), tag(), tag()]
    const names = ['', 'a b', 'a:b', '{x}', 'ключ', '\n', '__proto__', 'x'.repeat(1_024)]
    for (const [index, name] of names.entries()) await store.set(one, name, String(index), 60_000)
    assert.deepEqual(
      await store.get(one, names),
      names.map((_, index) => String(index)),
    )
    assert.deepEqual(
      await store.get(other, names),
      names.map(() => undefined),
    )
  })

  it('sets a mark anew, with a new end', async () => {
    const [store, user] = [underTest.store(), tag()]
    await store.set(user, 'a', '1', 50)
    await store.set(user, 'a', '2', 60_000)
    await underTest.pass(60)
    assert.deepEqual(await store.get(user, ['a']), ['2'])
  })

  it('forgets a mark at its end', async () => {
    const [store, user] = [underTest.store(), tag()]
    await store.set(user, 'a', '1', 50)
    await store.set(user, 'b', '1', 60_000)
    await underTest.pass(60)
    assert.deepEqual(await store.get(user, ['a', 'b']), [undefined, '1'])
  })
}
