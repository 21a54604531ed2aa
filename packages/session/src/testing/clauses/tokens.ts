import assert from 'node:assert/strict'
import type { Rotation } from '../../store.js'
import { refusalOf } from '../../stores/record.js'
import { digestOf, newToken } from '../../stores/token.js'
import { type Clauses, IDLE, made, rotationOf, START, set, unique } from '../subject.js'

/** Tokens, what replaces them, and the end of a session. */
export function tokenClauses({ describe, it, at }: Clauses): void {
  describe('a new token', () => {
    it('opens at once, and the old one until the new one was used', async (store) => {
      const one = await made(store, { userId: unique(), data: [['a', '1']] })
      const { next, rotation } = rotationOf(one.token)
      at(1)
      const rotated = await one.rotate(rotation)
      assert.equal(rotated.outcome === 'written' && rotated.nonce, rotation.nonce)
      const found = (await one.load())!
      assert.equal(found.record.issuedAt, START + 1)
      assert.equal(found.record.createdAt, START)
      assert.equal(found.record.data.get('a')?.text, '1')
      assert.equal(refusalOf(found, digestOf(next)), undefined)
      at(IDLE - 1)
      // Neither a look nor a use of the old one changes that.
      await store.load(one.ref, { digest: one.digest, overlapMs: 100 })
      assert.equal(await one.refusal(), undefined)
      assert.equal((await one.save([set('b', 0, '1')])).outcome, 'written')
      const use = { digest: digestOf(next), overlapMs: 100 }
      assert.equal(await one.refusal(digestOf(next), { use }), undefined)
      assert.equal(await one.refusal(), undefined)
      at(IDLE + 49)
      // A later use of the new one does not prolong it.
      assert.equal(await one.refusal(digestOf(next), { use }), undefined)
      at(IDLE + 99)
      assert.equal(await one.refusal(), 'renewed')
      assert.equal((await one.save([set('c', 0, '1')])).outcome, 'ended')
      assert.equal((await one.by(digestOf(next)).save([])).outcome, 'written')
    })
    it('is the same for two that come with one token', async (store) => {
      const one = await made(store)
      const [first, second] = [rotationOf(one.token), rotationOf(one.token)]
      const outcomes = await Promise.all([first, second].map(({ rotation }) => one.rotate(rotation)))
      const nonces = outcomes.map((one) => one.outcome === 'written' && one.nonce)
      assert.deepEqual(nonces, [first.rotation.nonce, first.rotation.nonce])
      assert.equal(await one.refusal(digestOf(second.next)), 'secret')
    })
    it('is not given for the old one once it was used', async (store) => {
      const one = await made(store, { userId: unique() })
      const { next, rotation } = rotationOf(one.token)
      await one.rotate(rotation)
      await store.load(one.ref, { digest: digestOf(next), overlapMs: 100 })
      for (const elevate of [false, true]) {
        const late = await one.rotate(rotationOf(one.token, elevate).rotation)
        assert.equal(late.outcome === 'written' && late.nonce, undefined)
      }
      assert.equal(await one.refusal(digestOf(next)), undefined)
    })
    it('comes with changes in one step', async (store) => {
      const one = await made(store, { data: [['a', '1']] })
      const { next, rotation } = rotationOf(one.token)
      await one.save([set('a', 1, '2')], 'report', { rotation })
      assert.equal(await one.text('a'), '2')
      assert.equal(await one.refusal(digestOf(next)), undefined)
    })
    it('of an elevation ends the old one at once, and is written down', async (store) => {
      const one = await made(store, { userId: unique() })
      at(7)
      await one.rotate(rotationOf(one.token, true).rotation)
      const found = (await one.load())!
      assert.equal(refusalOf(found, one.digest), 'secret')
      assert.equal(found.record.authenticatedAt, START + 7)
      assert.equal((await one.rotate(rotationOf(one.token).rotation)).outcome, 'ended')
    })
    it('leaves the old one good for who has opened the session with it, and for no new token', async (store) => {
      for (const userId of [undefined, unique()]) {
        const one = await made(store, { userId })
        const openedWhen = (await one.record()).authenticatedAt ?? 0
        const write = (rotation?: Rotation) =>
          store.write(
            one.ref,
            { digest: one.digest, openedWhen },
            { changes: [set('a', 0, '1')], onConflict: 'overwrite', rotation },
          )
        const first = rotationOf(one.token)
        await one.rotate(first.rotation)
        await store.load(one.ref, { digest: digestOf(first.next), overlapMs: 0 })
        assert.equal(await one.refusal(), 'renewed')
        assert.equal(await one.refusal(one.digest, { openedWhen }), undefined)
        // One that nobody has used yet is not given to it either.
        const second = rotationOf(first.next)
        for (const elevate of [false, true]) {
          const late = await write(rotationOf(one.token, elevate).rotation)
          assert.equal(late.outcome === 'written' && late.nonce, undefined)
          await one.by(digestOf(first.next)).rotate(second.rotation)
        }
        assert.equal(await one.refusal(digestOf(second.next)), undefined)
        if (userId === undefined) continue
        await one.by(digestOf(second.next)).rotate(rotationOf(second.next, true).rotation)
        assert.equal((await write()).outcome, 'ended')
        assert.equal(await one.refusal(one.digest, { openedWhen }), 'secret')
      }
    })
    it('of an elevation comes also for one that was replaced, and then ends both', async (store) => {
      const one = await made(store, { userId: unique() })
      const renewed = rotationOf(one.token)
      await one.rotate(renewed.rotation)
      const elevated = rotationOf(one.token, true)
      await one.rotate(elevated.rotation)
      const found = (await one.load())!
      assert.equal(refusalOf(found, one.digest), 'secret')
      assert.equal(refusalOf(found, digestOf(renewed.next)), 'secret')
      assert.equal(refusalOf(found, digestOf(elevated.next)), undefined)
    })
  })

  describe('end', () => {
    it('gives back what the session was, once', async (store) => {
      const one = await made(store, { userId: unique(), data: [['a', '1']] })
      const ended = await store.end(one.ref)
      assert.equal(ended?.record.data.get('a')?.text, '1')
      assert.equal(ended?.listed, true)
      assert.equal(await store.end(one.ref), undefined)
      assert.equal(await store.load(one.ref), 'ended')
    })
    it('leaves nothing for a slow writer', async (store) => {
      const one = await made(store, { userId: unique() })
      await store.end(one.ref)
      assert.equal((await one.save([set('a', 0, '1')], 'overwrite')).outcome, 'ended')
      assert.equal((await one.save([])).outcome, 'ended')
      assert.equal((await one.rotate(rotationOf(newToken(one.ref)).rotation)).outcome, 'ended')
      assert.equal(await store.load(one.ref), 'ended')
    })
  })
}
