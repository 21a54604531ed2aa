import assert from 'node:assert/strict'
import { encodeFrame } from '../entries/frame.js'
import { type CacheStore, HARD_LENGTH, VERSION_LENGTH } from '../stores/store.js'

/** The three functions of a test runner that the suite needs: those of vitest, jest and `node:test` fit. */
export interface ContractRunner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>): unknown
}

/** A store, and the passing of its time. */
export interface StoreUnderTest {
  store: CacheStore
  /** Lets so many ms pass by the store's clock. */
  pass(ms: number): Promise<void>
}

/**
 * What every store must do, as tests. Each test takes keys of its own, so that a shared store is welcome.
 *
 * @param make  gives a store; called once per test
 */
export function cacheStoreContract(
  { describe, it }: ContractRunner,
  name: string,
  make: () => Promise<StoreUnderTest>,
): void {
  let count = 0
  const newKey = (): string => `contract:${process.pid}:${count++}:${Math.random()}`
  const lease = (token: string, rejectedId?: string) => ({
    token,
    leaseMs: 60_000,
    ...(rejectedId === undefined ? {} : { rejectedId }),
  })

  describe(`${name}: cache store`, () => {
    it('gives one caller the lease, and lets the others wait', async () => {
      const { store } = await make()
      const key = newKey()
      const answers = await Promise.all(['a', 'b', 'c'].map((token) => store.load(key, lease(token))))
      assert.deepEqual(answers.map(({ state }) => state).sort(), ['lead', 'wait', 'wait'])
      const waiting = answers.find((answer) => answer.state === 'wait')!
      assert.ok(waiting.leaseLeftMs > 50_000 && waiting.leaseLeftMs <= 60_000)
    })

    it('stores what the holder of the lease fills, and gives back the same bytes', async () => {
      const { store } = await make()
      const key = newKey()
      const frame = frameOf('id-00001', { body: Buffer.from([0, 255, 13, 10, 128]) })
      await store.load(key, lease('a'))
      assert.equal(await store.fill(key, 'a', frame, 60_000), true)
      const loaded = await store.load(key, lease('b'))
      assert.equal(loaded.state, 'fresh')
      assert.deepEqual(loaded.stored?.frame, frame)
      assert.ok(loaded.stored.remainingMs > 50_000 && loaded.stored.remainingMs <= 60_000)
      assert.deepEqual((await store.read([key]))[0]?.frame, frame)
    })

    it('frees the lease with the fill', async () => {
      const { store } = await make()
      const key = newKey()
      await store.load(key, lease('a'))
      await store.fill(key, 'a', frameOf('id-00001'), 60_000)
      assert.equal((await store.load(key, lease('b', 'id-00001'))).state, 'lead')
    })

    it('does not store what was removed while it was loaded', async () => {
      const { store } = await make()
      const key = newKey()
      await store.load(key, lease('a'))
      await store.remove(key)
      assert.equal(await store.fill(key, 'a', frameOf('id-00001'), 60_000), false)
      assert.deepEqual(await store.read([key]), [undefined])
    })

    it('does not store what was put while it was loaded', async () => {
      const { store } = await make()
      const key = newKey()
      const newer = frameOf('id-newer')
      await store.load(key, lease('a'))
      await store.put(key, newer, 60_000)
      assert.equal(await store.fill(key, 'a', frameOf('id-older'), 60_000), false)
      assert.deepEqual((await store.read([key]))[0]?.frame, newer)
    })

    it('does not let a second holder be overtaken by the first', async () => {
      const { store } = await make()
      const key = newKey()
      await store.load(key, lease('a'))
      await store.remove(key)
      assert.equal((await store.load(key, lease('b'))).state, 'lead')
      assert.equal(await store.fill(key, 'a', frameOf('id-00001'), 60_000), false)
      assert.equal(await store.renew(key, 'a', 60_000), false)
      await store.release(key, 'a')
      assert.equal(await store.fill(key, 'b', frameOf('id-00002'), 60_000), true)
    })

    it('ends a lease by release, and by its time', async () => {
      const { store, pass } = await make()
      const key = newKey()
      await store.load(key, lease('a'))
      await store.release(key, 'a')
      assert.equal((await store.load(key, { token: 'b', leaseMs: 100 })).state, 'lead')
      await pass(150)
      assert.equal((await store.load(key, lease('c'))).state, 'lead')
    })

    it('prolongs a lease by renewal', async () => {
      const { store, pass } = await make()
      const key = newKey()
      await store.load(key, { token: 'a', leaseMs: 100 })
      assert.equal(await store.renew(key, 'a', 60_000), true)
      await pass(150)
      assert.equal((await store.load(key, lease('b'))).state, 'wait')
      assert.equal(await store.fill(key, 'a', frameOf('id-00001'), 60_000), true)
    })

    it('gives a stale frame together with the lease, and to those who wait', async () => {
      const { store } = await make()
      const key = newKey()
      const frame = frameOf('id-00001', { staleIfErrorMs: 60_000 })
      await store.put(key, frame, 60_000)
      const leader = await store.load(key, lease('a'))
      assert.equal(leader.state, 'lead')
      assert.deepEqual(leader.stored?.frame, frame)
      const waiting = await store.load(key, lease('b'))
      assert.equal(waiting.state, 'wait')
      assert.deepEqual(waiting.stored?.frame, frame)
    })

    it('forgets a frame when its lifetime is over', async () => {
      const { store, pass } = await make()
      const key = newKey()
      await store.put(key, frameOf('id-00001'), 100)
      await pass(150)
      assert.deepEqual(await store.read([key]), [undefined])
    })

    it('counts a rejected frame as stale, and a newer one as fresh', async () => {
      const { store } = await make()
      const key = newKey()
      await store.put(key, frameOf('id-00001'), 60_000)
      assert.equal((await store.load(key, lease('a', 'id-00001'))).state, 'lead')
      await store.fill(key, 'a', frameOf('id-00002'), 60_000)
      assert.equal((await store.load(key, lease('b', 'id-00001'))).state, 'fresh')
    })

    it('counts bytes that are no frame as stale', async () => {
      const { store } = await make()
      const key = newKey()
      for (const bytes of ['x', 'not a frame at all, but quite long enough to be one']) {
        await store.put(key, Buffer.from(bytes), 60_000)
        assert.equal((await store.load(key, lease('a'))).state, 'lead')
      }
    })

    it('gives a tag one version, until it is invalidated', async () => {
      const { store } = await make()
      const [tag, other] = [newKey(), newKey()]
      assert.deepEqual(await store.readTags([tag]), [undefined])
      const [before, same] = [await store.openTags([tag, other], 60_000), await store.openTags([tag], 60_000)]
      assert.equal(same[0]!.version, before[0]!.version)
      assert.equal(before[0]!.version.length, VERSION_LENGTH)
      assert.ok(before[0]!.quietSince <= performance.now())
      await store.invalidateTags([tag], false, 60_000)
      const [after, untouched] = await store.readTags([tag, other])
      assert.notEqual(after!.version.slice(0, HARD_LENGTH), before[0]!.version.slice(0, HARD_LENGTH))
      assert.equal(untouched!.version, before[1]!.version)
      assert.equal((await store.openTags([tag], 60_000))[0]!.version, after!.version)
    })

    it('changes half of the version by soft invalidation', async () => {
      const { store } = await make()
      const tag = newKey()
      const [before] = await store.openTags([tag], 60_000)
      await store.invalidateTags([tag], true, 60_000)
      const [after] = await store.readTags([tag])
      assert.equal(after!.version.slice(0, HARD_LENGTH), before!.version.slice(0, HARD_LENGTH))
      assert.notEqual(after!.version.slice(HARD_LENGTH), before!.version.slice(HARD_LENGTH))
    })

    it('knows whether a tag was invalidated after a lease was given', async () => {
      const { store } = await make()
      const [key, never, early, late] = [newKey(), newKey(), newKey(), newKey()]
      // On a cluster each node has to be known: before that, nothing is certain.
      await store.openTags([never, early, late], 60_000)
      await store.invalidateTags([early], false, 60_000)
      await untilPast(performance.now() + 5)
      assert.equal((await store.load(key, lease('a'))).state, 'lead')
      const heldSince = performance.now()
      await untilPast(heldSince + 5)
      await store.invalidateTags([late], false, 60_000)
      // An answer that is long on its way puts it later: in doubt it is.
      let told: boolean[] = []
      for (let tries = 0; tries < 100 && told.join() !== 'false,false,true'; tries++) {
        const versions = await store.openTags([never, early, late], 60_000)
        told = versions.map(({ quietSince }) => quietSince > heldSince)
        assert.equal(told[2], true)
      }
      assert.deepEqual(told, [false, false, true])
    })
  })
}

/** Lets real time pass: what a store says of it is by the clock of this process. */
async function untilPast(atMs: number): Promise<void> {
  while (performance.now() <= atMs) await new Promise((resolve) => setTimeout(resolve, 1))
}

function frameOf(id: string, parts: { body?: Buffer; staleIfErrorMs?: number } = {}): Buffer {
  return encodeFrame({
    kind: 'coded',
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: parts.staleIfErrorMs ?? 0,
    costMs: 0,
    l1TtlMs: 0,
    id,
    codec: 0,
    tags: [],
    compressed: false,
    body: parts.body ?? Buffer.from('{}'),
  })
}
