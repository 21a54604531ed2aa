import assert from 'node:assert/strict'
import {
  digestOf,
  type FamilyRef,
  newNonce,
  newRefreshToken,
  refOf,
  successorOf,
  userTag,
} from '../issuer/refresh-token.js'
import type { FamilyRotation, FamilyStore, NewFamily, RotateOutcome } from '../stores/family-store.js'
import { type ContractRunner, unique } from './runner.js'

/** A store of families, and the clock that it reads. */
export interface FamilyStoreUnderTest {
  /** The same one for the whole suite, or a new one: every test uses users of its own. */
  store(): FamilyStore
  /** Sets the clock, in epoch ms. */
  setClock(nowMs: number): void
}

const START = 1_800_000_000_000
const IDLE = 60_000
const ABSOLUTE = 600_000
const GRACE = 20_000

/** What every store of families has to do, clause by clause of `FamilyStore`. */
export function familyStoreContract(runner: ContractRunner, underTest: FamilyStoreUnderTest): void {
  const it = (name: string, body: (store: FamilyStore, userId: string) => Promise<void>): void =>
    runner.it(name, async () => {
      underTest.setClock(START)
      await body(underTest.store(), unique('user'))
    })
  const at = (ms: number): void => underTest.setClock(START + ms)

  it('exchanges the current token, and tells whose it is', async (store, userId) => {
    const token = await made(store, userId)
    at(5)
    const { result, successor } = await rotated(store, token)
    const family = { userId, createdAt: START, expiresAt: START + ABSOLUTE, grant: '{"é":1}' }
    assert.deepEqual(result, { outcome: 'rotated', nowMs: START + 5, family })
    assert.equal((await rotated(store, successor)).result.outcome, 'rotated')
  })

  it('answers a replaced token with the same nonce within the grace, and changes nothing', async (store, userId) => {
    const token = await made(store, userId)
    const first = await rotated(store, token)
    for (const ms of [0, 1, GRACE - 1]) {
      at(ms)
      const again = await rotated(store, token)
      assert.equal(again.result.outcome, 'repeated')
      assert.equal(successorOf(token, nonceOf(again.result)), first.successor)
    }
    assert.equal((await rotated(store, first.successor)).result.outcome, 'rotated')
  })

  it('ends the family when a token is used again after its grace', async (store, userId) => {
    const token = await made(store, userId)
    const { successor } = await rotated(store, token)
    at(GRACE)
    assert.deepEqual((await rotated(store, token)).result, { outcome: 'reused', userId })
    assert.deepEqual(await store.list(userTag(userId), 10), [])
    // Whose it was is told to whoever comes, until it is forgotten: then nobody knows of it.
    for (const one of [successor, token, successor]) {
      assert.deepEqual((await rotated(store, one)).result, { outcome: 'reused', userId })
    }
    await store.forget(refOf(token))
    assert.equal((await rotated(store, successor)).result.outcome, 'unknown')
    assert.equal(await store.end(refOf(token)), undefined)
  })

  it('ends no other family with it', async (store, userId) => {
    const [token, other] = [await made(store, userId), await made(store, userId)]
    await rotated(store, token, 0)
    assert.equal((await rotated(store, token)).result.outcome, 'reused')
    assert.equal((await rotated(store, other)).result.outcome, 'rotated')
  })

  it('knows several replaced tokens, each with its own successor and its own end', async (store, userId) => {
    const tokens = [await made(store, userId)]
    for (let i = 0; i < 4; i++) {
      at(i * 1_000)
      tokens.push((await rotated(store, tokens[i]!)).successor)
    }
    for (const [index, token] of tokens.slice(0, 4).entries()) {
      const { result } = await rotated(store, token)
      assert.equal(result.outcome, 'repeated')
      assert.equal(successorOf(token, nonceOf(result)), tokens[index + 1])
    }
    at(GRACE + 500)
    assert.equal((await rotated(store, tokens[1]!)).result.outcome, 'repeated')
    assert.equal((await rotated(store, tokens[0]!)).result.outcome, 'reused')
  })

  it('knows no more than the last eight of them', async (store, userId) => {
    const tokens = [await made(store, userId)]
    for (let i = 0; i < 9; i++) tokens.push((await rotated(store, tokens[i]!)).successor)
    assert.equal((await rotated(store, tokens[1]!)).result.outcome, 'repeated')
    assert.equal((await rotated(store, tokens[0]!)).result.outcome, 'reused')
  })

  it('without a grace, ends the family at the second use', async (store, userId) => {
    const token = await made(store, userId)
    await rotated(store, token, 0)
    assert.equal((await rotated(store, token, 0)).result.outcome, 'reused')
  })

  it('orders exchanges that come at once: one is first, the others learn what it did', async (store, userId) => {
    const token = await made(store, userId)
    const all = await Promise.all(Array.from({ length: 20 }, () => rotated(store, token)))
    const successors = new Set(
      all.map(({ result, successor }) =>
        result.outcome === 'rotated' ? successor : successorOf(token, nonceOf(result)),
      ),
    )
    assert.equal(all.filter(({ result }) => result.outcome === 'rotated').length, 1)
    assert.equal(successors.size, 1)
  })

  it('ends a family that nobody refreshes, and not before', async (store, userId) => {
    const token = await made(store, userId)
    at(IDLE - 1)
    const { result, successor } = await rotated(store, token)
    assert.equal(result.outcome, 'rotated')
    at(2 * IDLE - 1)
    assert.equal((await rotated(store, successor)).result.outcome, 'unknown')
  })

  it('ends every family at its absolute end', async (store, userId) => {
    let token = await made(store, userId)
    for (let ms = 0; ms < ABSOLUTE; ms += IDLE / 2) {
      at(ms)
      const { result, successor } = await rotated(store, token)
      assert.equal(result.outcome, 'rotated')
      token = successor
    }
    at(ABSOLUTE)
    assert.equal((await rotated(store, token)).result.outcome, 'unknown')
    assert.deepEqual(await store.list(userTag(userId), 10), [])
  })

  it('knows nothing of a family that never was, and makes none', async (store, userId) => {
    const token = newRefreshToken(userId)
    assert.deepEqual((await rotated(store, token)).result, { outcome: 'unknown' })
    assert.equal(await store.end(refOf(token)), undefined)
    assert.deepEqual(await store.list(userTag(userId), 10), [])
  })

  it('lists those that are alive, the last used first', async (store, userId) => {
    const tokens = [await made(store, userId, { device: 'a' })]
    at(10)
    tokens.push(await made(store, userId, { device: 'b' }))
    at(20)
    await rotated(store, tokens[0]!)
    const [a, b] = tokens.map((token) => refOf(token).id)
    const listed = (id: string, created: number, refreshed: number, device: string) => ({
      id,
      createdAt: START + created,
      refreshedAt: START + refreshed,
      expiresAt: START + created + ABSOLUTE,
      device,
    })
    const tag = userTag(userId)
    assert.deepEqual(await store.list(tag, 10), [listed(a!, 0, 20, 'a'), listed(b!, 10, 10, 'b')])
    assert.deepEqual(await store.list(tag, 1), [listed(a!, 0, 20, 'a')])
    at(10 + IDLE)
    assert.deepEqual(await store.list(tag, 10), [listed(a!, 0, 20, 'a')])
  })

  it('lists page by page', async (store, userId) => {
    const ids: string[] = []
    for (let ms = 0; ms < 7; ms++) {
      at(ms)
      ids.unshift(refOf(await made(store, userId)).id)
    }
    const tag = userTag(userId)
    const page = async (limit: number, after?: string): Promise<string[]> =>
      (await store.list(tag, limit, after)).map(({ id }) => id)
    assert.deepEqual(await page(3), ids.slice(0, 3))
    assert.deepEqual(await page(3, ids[2]), ids.slice(3, 6))
    assert.deepEqual(await page(3, ids[5]), ids.slice(6))
    assert.deepEqual(await page(3, ids[6]), [])
    assert.deepEqual(await page(3, 'x'.repeat(16)), [])
  })

  it('lets those go that were not used for the longest time when a user has too many', async (store, userId) => {
    const tokens: string[] = []
    for (let ms = 0; ms < 3; ms++) {
      at(ms)
      tokens.push(await made(store, userId, { maxPerUser: 3 }))
    }
    at(3)
    tokens[0] = (await rotated(store, tokens[0]!)).successor
    at(4)
    tokens.push(await made(store, userId, { maxPerUser: 3 }))
    const outcomes = []
    for (const token of tokens) outcomes.push((await rotated(store, token)).result.outcome)
    assert.deepEqual(outcomes, ['rotated', 'unknown', 'rotated', 'rotated'])
    at(5)
    const last = await made(store, userId, { maxPerUser: 1 })
    assert.deepEqual(await store.list(userTag(userId), 10), [
      {
        id: refOf(last).id,
        createdAt: START + 5,
        refreshedAt: START + 5,
        expiresAt: START + 5 + ABSOLUTE,
        device: '',
      },
    ])
    assert.equal((await rotated(store, await made(store, unique('user')))).result.outcome, 'rotated')
  })

  it('ends one, at once', async (store, userId) => {
    const [token, other] = [await made(store, userId), await made(store, userId)]
    for (let i = 0; i < 3; i++) {
      assert.equal(await store.end(refOf(token)), userId)
      assert.deepEqual((await rotated(store, token)).result, { outcome: 'reused', userId })
    }
    await store.forget(refOf(token))
    assert.equal(await store.end(refOf(token)), undefined)
    assert.equal((await rotated(store, token)).result.outcome, 'unknown')
    assert.equal((await rotated(store, other)).result.outcome, 'rotated')
  })

  it('exchanges a token that is bound to a key with that key only; any other changes nothing', async (store, userId) => {
    const token = await made(store, userId, { boundTo: KEY })
    const first = await rotated(store, token, GRACE, KEY)
    assert.equal(first.result.outcome, 'rotated')
    for (const other of ['', 'o'.repeat(43)]) {
      for (const one of [token, first.successor]) {
        assert.deepEqual((await rotated(store, one, GRACE, other)).result, { outcome: 'other-key' })
      }
    }
    assert.equal((await rotated(store, token, GRACE, KEY)).result.outcome, 'repeated')
    assert.equal((await rotated(store, first.successor, GRACE, KEY)).result.outcome, 'rotated')
    const free = await made(store, userId)
    assert.equal((await rotated(store, free, GRACE, KEY)).result.outcome, 'rotated')
  })

  it('ends all of a user, and nobody else’s', async (store, userId) => {
    const tokens = [await made(store, userId), await made(store, userId), await made(store, userId)]
    const other = await made(store, unique('user'))
    at(7)
    assert.deepEqual(await store.endAll(userTag(userId)), { count: 3, nowMs: START + 7 })
    assert.deepEqual(await store.endAll(userTag(userId)), { count: 0, nowMs: START + 7 })
    for (const token of tokens) assert.equal((await rotated(store, token)).result.outcome, 'unknown')
    assert.equal((await rotated(store, other)).result.outcome, 'rotated')
    assert.equal((await rotated(store, await made(store, userId))).result.outcome, 'rotated')
  })
}

const KEY = 'k'.repeat(43)

async function made(store: FamilyStore, userId: string, changes: Partial<NewFamily> = {}): Promise<string> {
  const token = newRefreshToken(userId)
  const times = { idleTimeoutMs: IDLE, absoluteTimeoutMs: ABSOLUTE }
  const family = {
    digest: digestOf(token),
    userId,
    ...times,
    grant: '{"é":1}',
    device: '',
    boundTo: '',
    maxPerUser: 100,
    ...changes,
  }
  await store.create(refOf(token), family)
  return token
}

async function rotated(
  store: FamilyStore,
  token: string,
  graceMs: number = GRACE,
  provedKey: string = '',
): Promise<{ result: RotateOutcome; successor: string }> {
  const nonce = newNonce()
  const successor = successorOf(token, nonce)
  const ref: FamilyRef = refOf(token)
  const rotation: FamilyRotation = { digest: digestOf(successor), nonce, graceMs, provedKey }
  return { result: await store.rotate(ref, digestOf(token), rotation), successor }
}

function nonceOf(result: RotateOutcome): string {
  return result.outcome === 'repeated' ? result.nonce : ''
}
