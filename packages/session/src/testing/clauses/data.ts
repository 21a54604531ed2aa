import assert from 'node:assert/strict'
import type { SessionStore } from '../../store.js'
import { digestOf, newRef, newToken } from '../../stores/token.js'
import { ABSOLUTE, type Clauses, IDLE, made, newSession, START, set, unique } from '../subject.js'

/** What a store keeps, for how long, and what it does with writes that meet. */
export function dataClauses({ describe, it, at }: Clauses): void {
  describe('create and load', () => {
    it('gives back what was stored, with instants of its own clock', async (store) => {
      const one = await made(store, {
        userId: 'u1',
        client: '{"agent":"a"}',
        data: [['k', '"é\\u0000"']],
      })
      at(5)
      const found = await one.load()
      assert.deepEqual(found, {
        nowMs: START + 5,
        listed: true,
        record: {
          digest: one.digest,
          previous: undefined,
          createdAt: START,
          lastSeenAt: START,
          issuedAt: START,
          idleTimeoutMs: IDLE,
          expiresAt: START + ABSOLUTE,
          userId: 'u1',
          authenticatedAt: START,
          persistent: undefined,
          revision: 1,
          data: new Map([['k', { revision: 1, text: '"é\\u0000"' }]]),
        },
      })
    })
    it('stores nothing where there is a session', async (store) => {
      const one = await made(store, { data: [['a', '1']] })
      const again = await store.create(one.ref, newSession(newToken(one.ref), { data: [['a', '2']] }))
      assert.deepEqual(again, { outcome: 'exists' })
      assert.equal((await one.record()).digest, one.digest)
    })
    it('keeps an anonymous session without a user', async (store) => {
      const one = await made(store)
      const found = await one.load()
      assert.equal(found?.record.userId, undefined)
      assert.equal(found?.record.authenticatedAt, undefined)
    })
    it('knows nothing of a session that was never stored', async (store) => {
      assert.equal(await store.load(newRef(undefined)), undefined)
    })
    it('keeps keys with names of every kind apart', async (store) => {
      const names = ['', 'v', 'h', 'u', '.v', 'a b', '__proto__', 'constructor', 'ключ', '\n']
      const one = await made(store, { data: names.map((name, i) => [name, String(i)]) })
      const found = await one.load()
      assert.deepEqual(
        [...found!.record.data].map(([name, { text }]) => [name, text]).sort(),
        names.map((name, i) => [name, String(i)]).sort(),
      )
    })
  })

  describe('the clocks', () => {
    it('a session that nobody uses is over at its idle timeout, and not before', async (store) => {
      const one = await made(store, { userId: unique() })
      at(IDLE - 1)
      assert.equal(await one.refusal(), undefined)
      at(IDLE)
      assert.equal(await one.isOpen(), false)
    })
    it('a session that is used is over at its absolute end', async (store) => {
      const one = await made(store, { userId: unique() })
      for (let ms = IDLE / 2; ms < ABSOLUTE; ms += IDLE / 2) {
        at(ms)
        assert.equal((await one.save([])).outcome, 'written')
      }
      at(ABSOLUTE)
      assert.equal(await one.isOpen(), false)
      assert.equal((await one.save([])).outcome, 'ended')
    })
    it('a write to one that is over leaves nothing behind', async (store) => {
      const one = await made(store)
      at(IDLE)
      assert.equal((await one.save([set('a', 0, '1')], 'overwrite')).outcome, 'ended')
      assert.equal(await one.isOpen(), false)
    })
  })

  describe('save', () => {
    it('changes only the keys that it names', async (store) => {
      const one = await made(store, {
        data: [
          ['a', '1'],
          ['b', '2'],
          ['c', '3'],
        ],
      })
      at(10)
      const changes = [set('a', 1, '10'), set('c', 1), set('d', 0, '4')]
      const saved = await one.save(changes)
      assert.deepEqual(saved, {
        outcome: 'written',
        nowMs: START + 10,
        revision: 2,
        expiresAt: START + ABSOLUTE,
        met: new Map(),
        nonce: undefined,
      })
      const record = await one.record()
      assert.equal(record.lastSeenAt, START + 10)
      assert.deepEqual(Object.fromEntries(record.data), {
        a: { revision: 2, text: '10' },
        b: { revision: 1, text: '2' },
        d: { revision: 2, text: '4' },
      })
    })
    it('writes nothing, and says what is there, when a key has changed since', async (store) => {
      const one = await made(store, {
        data: [
          ['a', '1'],
          ['b', '2'],
          ['gone', '3'],
        ],
      })
      await one.save([set('a', 1, '7'), set('gone', 1)], 'report')
      const mine = [set('a', 1, '8'), set('b', 1, '8'), set('gone', 1, '8')]
      const saved = await one.save(mine)
      assert.deepEqual(saved, {
        outcome: 'conflict',
        current: new Map([
          ['a', { revision: 2, text: '7' }],
          ['gone', { revision: 0, text: undefined }],
        ]),
      })
      assert.equal(await one.text('b'), '2')
    })
    it('takes two that add the same key for a conflict', async (store) => {
      const one = await made(store)
      await one.save([set('a', 0, '1')])
      assert.equal((await one.save([set('a', 0, '2')])).outcome, 'conflict')
    })
    it('overwrites when told to, and says what', async (store) => {
      const one = await made(store, { data: [['a', '1']] })
      await one.save([set('a', 1, '2')])
      const saved = await one.save([set('a', 1, '3'), set('b', 0, '4')], 'overwrite')
      assert.equal(saved.outcome, 'written')
      assert.deepEqual(saved.outcome === 'written' && saved.met, new Map([['a', '3']]))
      assert.equal(await one.text('a'), '3')
    })
    it('keeps every key of many writers at once', async (store) => {
      const one = await made(store)
      const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
      await Promise.all(keys.map((key) => one.save([set(key, 0, '1')])))
      assert.deepEqual([...(await one.record()).data.keys()].sort(), [...keys].sort())
    })
    it('takes a thousand keys at once', async (store) => {
      const one = await made(store)
      const changes = Array.from({ length: 1_000 }, (_, i) => set(`k${i}`, 0, '1'))
      await one.save(changes)
      const again = await one.save(changes)
      assert.equal(again.outcome === 'conflict' && again.current.size, 1_000)
    })
    it('changes the idle timeout when told to', async (store) => {
      const one = await made(store, { userId: unique() })
      await one.save([], 'report', { lifetime: { idleTimeoutMs: 2 * IDLE } })
      at(2 * IDLE - 1)
      assert.equal(await one.isOpen(), true)
      at(2 * IDLE)
      assert.equal(await one.isOpen(), false)
    })
    it('refuses a token that does not open the session', async (store) => {
      const one = await made(store)
      const other = digestOf(newToken(one.ref))
      assert.equal((await one.by(other).save([set('a', 0, '1')])).outcome, 'ended')
      assert.equal((await one.record()).data.size, 0)
    })
  })

  describe('a write that merges', () => {
    const merging = async (
      store: SessionStore,
      [base, theirs, ours]: readonly (string | undefined)[],
    ): Promise<string | undefined> => {
      const one = await made(store, base === undefined ? {} : { data: [['k', base]] })
      const revision = base === undefined ? 0 : 1
      await one.save([{ key: 'k', revision, text: theirs }])
      const written = await one.save([{ key: 'k', revision, text: ours, base }], 'merge')
      const text = await one.text('k')
      assert.deepEqual(written.outcome === 'written' && written.met, new Map([['k', text]]))
      return text
    }
    it('joins objects member by member, and the later one wins where they meet', async (store) => {
      const base = '{"both":0,"gone":0,"deep":{"l":[1]}}'
      const theirs = '{"both":"a","gone":0,"deep":{"l":[1],"a":1.10e1}}'
      const ours = '{"both":"b","deep":{"l":[1],"b":[]}}'
      assert.deepEqual(JSON.parse((await merging(store, [base, theirs, ours]))!), {
        both: 'b',
        deep: { l: [1], a: 11, b: [] },
      })
    })
    it('joins two that add one key', async (store) => {
      assert.equal(await merging(store, [undefined, '{"a":1}', '{"b":2}']), '{"a":1,"b":2}')
    })
    it('takes the later of all that are no objects', async (store) => {
      assert.equal(await merging(store, ['1', '2', '3']), '3')
      assert.equal(await merging(store, ['{"a":1}', '{"a":2}', '[1]']), '[1]')
      assert.equal(await merging(store, ['{"a":1}', '{"a":2}', undefined]), undefined)
      assert.equal(await merging(store, ['{"a":1}', undefined, '{"a":2}']), '{"a":2}')
    })
    it('changes no number or text on the way', async (store) => {
      const kept = '"n":12345678901234567000,"f":0.30000000000000004,"s":"\\"}]\\\\","e":[],"o":{},"z":null'
      const merged = await merging(store, [`{${kept}}`, `{${kept},"a":1}`, `{${kept},"b":1}`])
      assert.equal(merged, `{${kept},"a":1,"b":1}`)
    })
    it('leaves what another wrote beside it', async (store) => {
      const one = await made(store)
      const names = Array.from({ length: 100 }, (_, i) => `k${i}`)
      await Promise.all(names.map((name) => one.save([set('o', 0, `{"${name}":1}`)], 'merge')))
      const joined = JSON.parse((await one.record()).data.get('o')!.text)
      assert.deepEqual(Object.keys(joined).sort(), names.sort())
    })
  })

  describe('the size of the data', () => {
    it('is that of all keys, whoever wrote them', async (store) => {
      const one = await made(store, { data: [['a', `"${'x'.repeat(500)}"`]] })
      const text = `"${'y'.repeat(600)}"`
      const outcome = await one.save([set('b', 0, text)], 'merge', { maxBytes: 1_024 })
      assert.equal(outcome.outcome, 'too-large')
      assert.equal((await one.record()).data.has('b'), false)
      const fits = await one.save([set('a', 1, '1'), set('b', 0, text)], 'merge', {
        maxBytes: 1_024,
      })
      assert.equal(fits.outcome, 'written')
    })
  })
}
