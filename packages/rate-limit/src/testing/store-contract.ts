import { strict as assert } from 'node:assert'
import { createQuota, type Quota } from '../algorithms/quota.js'
import type { Balance, Charge, QuotaStore, StoreReply } from '../store.js'

/** The part of a test runner that the contract needs: that of Vitest, Jest or `node:test`. */
export interface ContractRunner {
  describe(name: string, body: () => void): void
  it(name: string, body: () => Promise<void>): void
}

/** What the contract must know of a store. */
export interface StoreContractOptions {
  /** Makes a store. Called in each test; two of them share their quotas if the store is shared. */
  create(): QuotaStore | Promise<QuotaStore>
  /** Puts a name under a prefix of this run, in the form that the store takes as a key. Keys are in one hash slot. */
  key(name: string): string
  /** Lets time pass, by the store's clock. */
  pass(ms: number): Promise<void>
}

/**
 * What every store of quotas must do, as tests.
 *
 * @example storeContract({ describe, it }, { create: () => new MyStore(), key: (name) => name, pass: sleep })
 */
export function storeContract(runner: ContractRunner, options: StoreContractOptions): void {
  const { describe, it } = runner
  let count = 0
  const charge = (quota: Quota, cost = 1): Charge => ({ key: options.key(`${++count}`), quota, cost })
  const quotas: readonly Quota[] = (['fixed', 'strict', 'token-bucket'] as const).map((algorithm) =>
    createQuota('contract', { algorithm, quota: 5, windowMs: 60_000 }),
  )

  describe('a store of quotas', () => {
    for (const quota of quotas) {
      describe(quota.algorithm, () => {
        it('admits the quota and no more', async () => {
          const store = await options.create()
          const one = charge(quota)
          for (let left = 4; left >= 0; left--) {
            const { granted, balances } = await store.consume([one], 1, 1)
            assert.equal(granted, 1)
            assert.equal(only(balances).remaining, left)
          }
          const refused = await store.consume([one], 1, 1)
          assert.equal(refused.granted, 0)
          assert.ok(only(refused.balances).waitMs > 0)
          assert.ok(only(refused.balances).waitMs <= 72_000)
        })

        it('admits as many of several as it can', async () => {
          const store = await options.create()
          const one = charge(quota, 2)
          assert.equal((await store.consume([one], 3, 1)).granted, 2)
          assert.equal((await store.consume([{ ...one, cost: 1 }], 3, 1)).granted, 1)
        })

        it('leaves the others their part when asked to', async () => {
          const store = await options.create()
          const one = charge(quota)
          assert.equal((await store.consume([one], 5, 2)).granted, 2)
          assert.equal((await store.consume([one], 5, 2)).granted, 1)
          assert.equal((await store.consume([one], 5, 9)).granted, 1)
        })

        it('looks without spending', async () => {
          const store = await options.create()
          const one = charge(quota)
          await store.consume([one], 1, 1)
          for (let look = 0; look < 2; look++) {
            const { granted, balances } = await store.consume([one], 0, 1)
            assert.equal(granted, 0)
            assert.equal(only(balances).remaining, 4)
            assert.equal(only(balances).waitMs, 0)
          }
        })

        it('never admits a cost above the quota', async () => {
          const store = await options.create()
          const { granted, balances } = await store.consume([charge(quota, 6)], 1, 1)
          assert.equal(granted, 0)
          assert.equal(only(balances).waitMs, Number.POSITIVE_INFINITY)
          assert.equal(only(balances).remaining, 5)
        })

        it('admits a cost of nothing, also when the quota is spent', async () => {
          const store = await options.create()
          const one = charge(quota)
          await store.consume([one], 5, 1)
          assert.equal((await store.consume([{ ...one, cost: 0 }], 1, 1)).granted, 1)
        })

        it('gives back and charges when the cost is known', async () => {
          const store = await options.create()
          const one = charge(quota)
          const { balances } = await store.consume([one], 3, 1)
          const { windowId } = only(balances)
          await store.settle([{ key: one.key, quota, units: -2, windowId }])
          assert.equal((await look(store, one)).remaining, 4)
          await store.settle([{ key: one.key, quota, units: 9, windowId }])
          const inDebt = await look(store, one)
          assert.equal(inDebt.remaining, 0)
          assert.ok(inDebt.waitMs > 0)
        })

        it('gives back no more than was taken, and to nobody who took nothing', async () => {
          const store = await options.create()
          const one = charge(quota)
          await store.settle([{ key: one.key, quota, units: -3, windowId: 1 }])
          assert.equal((await look(store, one)).remaining, 5)
          const { windowId } = only((await store.consume([one], 1, 1)).balances)
          await store.settle([{ key: one.key, quota, units: -3, windowId }])
          assert.equal((await look(store, one)).remaining, 5)
        })

        it('refuses a penalized key for the time of the penalty', async () => {
          const store = await options.create()
          const one = charge(quota)
          await store.consume([one], 2, 1)
          await store.penalize([one], 90_000)
          await store.penalize([one], 10)
          const larger = createQuota('contract', { ...quota, quota: 5_000, burst: 5_000 })
          for (const asked of [one, { ...one, cost: 0 }, { ...one, quota: larger }]) {
            const { granted, balances } = await store.consume([asked], 1, 1)
            assert.equal(granted, 0)
            assert.equal(only(balances).remaining, 0)
            assert.ok(only(balances).waitMs > 89_000)
            assert.ok(only(balances).waitMs <= 90_000)
          }
          await store.reset([one])
          assert.equal((await store.consume([one], 1, 1)).granted, 1)
        })

        it('ends a penalty when its time has come, and has kept what was left', async () => {
          const store = await options.create()
          const one = charge(quota)
          await store.consume([one], 2, 1)
          await store.penalize([one], 100)
          const { balances } = await store.consume([one], 1, 1)
          await options.pass(only(balances).waitMs + 2)
          assert.equal((await look(store, one)).remaining, 3)
        })

        it('forgets when reset', async () => {
          const store = await options.create()
          const one = charge(quota)
          await store.consume([one], 5, 1)
          await store.reset([one])
          assert.equal((await look(store, one)).remaining, 5)
        })

        it('gives the quota back when its time has come', async () => {
          const store = await options.create()
          const short = charge(createQuota('contract', { ...quota, windowMs: 200 }))
          assert.equal((await store.consume([short], 9, 1)).granted, 5)
          const { balances } = await store.consume([short], 1, 1)
          await options.pass(only(balances).waitMs + 2)
          assert.equal((await store.consume([short], 1, 1)).granted, 1)
        })
      })
    }

    it('debits several quotas together or none', async () => {
      const store = await options.create()
      const wide = charge(createQuota('contract', { algorithm: 'fixed', quota: 10, windowMs: 60_000 }))
      const narrow = charge(
        createQuota('contract', { algorithm: 'token-bucket', quota: 3, windowMs: 60_000 }),
        2,
      )
      assert.equal((await store.consume([wide, narrow], 1, 1)).granted, 1)
      const { granted, balances } = await store.consume([wide, narrow], 1, 1)
      assert.equal(granted, 0)
      assert.deepEqual(
        balances.map(({ remaining }) => remaining),
        [9, 1],
      )
      assert.equal(balances[0]!.waitMs, 0)
      assert.ok(balances[1]!.waitMs > 0)
    })

    it('refuses by a penalty on one of several quotas, and charges none', async () => {
      const store = await options.create()
      const [one, other] = [charge(quotas[0]!), charge(quotas[1]!)]
      await store.penalize([one], 60_000)
      const { granted, balances } = await store.consume([other, one], 1, 1)
      assert.equal(granted, 0)
      assert.deepEqual([balances[0]!.remaining, balances[0]!.waitMs], [5, 0])
      assert.ok(balances[1]!.waitMs > 50_000)
      assert.equal((await store.consume([other], 1, 1)).granted, 1)
    })

    it('lets a raised quota act at once', async () => {
      const store = await options.create()
      const one = charge(quotas[0]!)
      await store.consume([one], 9, 1)
      const raised = { ...one, quota: createQuota('contract', { ...one.quota, quota: 7 }) }
      assert.equal((await store.consume([raised], 9, 1)).granted, 2)
    })

    it('orders what is asked at the same time', async () => {
      const store = await options.create()
      const one = charge(quotas[0]!)
      const replies = await Promise.all(Array.from({ length: 8 }, () => store.consume([one], 1, 1)))
      assert.equal(
        replies.reduce((sum, { granted }) => sum + granted, 0),
        5,
      )
      const left = replies
        .filter(({ granted }) => granted === 1)
        .map((reply) => only(reply.balances).remaining)
      assert.deepEqual(left, [4, 3, 2, 1, 0])
    })
  })
}

async function look(store: QuotaStore, charge: Charge): Promise<Balance> {
  const reply: StoreReply = await store.consume([charge], 0, 1)
  return only(reply.balances)
}

function only(balances: readonly Balance[]): Balance {
  assert.equal(balances.length, 1)
  return balances[0]!
}
