import assert from 'node:assert/strict'
import type { JobStore, NewJob, StorePolicy, TakenJob } from '../store.js'
import { type ContractRunner, until } from './runner.js'

/**
 * What every store of jobs must do, as tests. Each test takes a queue of its own.
 *
 * @param make  gives a store with the policy; called once or twice per test, twice for two processes
 */
export function jobStoreContract(
  { describe, it }: ContractRunner,
  name: string,
  make: (policy: StorePolicy) => Promise<JobStore>,
): void {
  let count = 0
  const policyFor = (changes: Partial<StorePolicy> = {}): StorePolicy => ({
    queue: `contract-${process.pid}-${count++}-${Math.random().toString(36).slice(2)}`,
    attempts: 3,
    pauseMs: () => 1,
    isFinal: () => false,
    lockMs: 30_000,
    maxCrashes: 5,
    keepDoneMs: 60_000,
    keepDeadMs: 60_000,
    onLost: () => undefined,
    ...changes,
  })
  const job = (id: string, changes: Partial<NewJob> = {}): NewJob => ({
    id,
    data: `data of ${id}`,
    delayMs: 0,
    isKept: true,
    ...changes,
  })
  const test = (
    title: string,
    body: (open: (changes?: Partial<StorePolicy>) => Promise<JobStore>) => Promise<void>,
  ) =>
    it(title, async () => {
      const opened: JobStore[] = []
      try {
        await body(async (changes) => {
          const store = await make(policyFor(changes))
          opened.push(store)
          return store
        })
      } finally {
        await Promise.all(opened.map((store) => store.close()))
      }
    })
  /** Has jobs run, and keeps what was run. */
  const recorded = (store: JobStore, concurrency = 1, fail: (job: TakenJob) => unknown = () => undefined) => {
    const runs: TakenJob[] = []
    const worker = store.work(async (one) => {
      runs.push(one)
      await fail(one)
    }, concurrency)
    return { runs, worker }
  }

  describe(`${name}: job store`, () => {
    test('runs each job once, the oldest first, with what it says', async (open) => {
      const store = await open()
      await store.add(['a', 'b', 'c'].map((id) => job(id)))
      await store.add([job('d')])
      const { runs } = recorded(store)
      await until(() => runs.length === 4)
      assert.deepEqual(
        runs,
        ['a', 'b', 'c', 'd'].map((id) => ({ id, data: `data of ${id}`, attempt: 1 })),
      )
      await until(async () => (await store.counts()).running === 0)
      assert.deepEqual(await store.counts(), { waiting: 0, delayed: 0, running: 0, dead: 0 })
    })

    test('adds no second job of an id: while it waits, runs, is done, or is dead', async (open) => {
      const store = await open({ attempts: 1 })
      await Promise.all([1, 2, 3].map(() => store.add([job('one'), job('one')])))
      const { runs } = recorded(store, 4, async ({ id }) => {
        await store.add([job('one'), job('bad')])
        if (id === 'bad') throw new Error('no')
      })
      await until(async () => runs.length === 2 && (await store.counts()).dead === 1)
      await store.add([job('one'), job('bad'), job('last')])
      await until(() => runs.some(({ id }) => id === 'last'))
      assert.deepEqual(runs.map(({ id }) => id).sort(), ['bad', 'last', 'one'])
    })

    test('forgets the id of a done job that need not be kept', async (open) => {
      const store = await open()
      const { runs } = recorded(store)
      for (const runsSoFar of [1, 2]) {
        await store.add([job('again', { isKept: false })])
        await until(async () => runs.length === runsSoFar && (await store.counts()).running === 0)
      }
    })

    test('runs a job no sooner than it may', async (open) => {
      const store = await open()
      const addedAt = performance.now()
      await store.add([job('later', { delayMs: 200 }), job('now')])
      assert.equal((await store.counts()).delayed, 1)
      const { runs } = recorded(store)
      await until(() => runs.length === 2)
      assert.deepEqual(
        runs.map(({ id }) => id),
        ['now', 'later'],
      )
      assert.ok(performance.now() - addedAt >= 195)
    })

    test('runs a job that fails again after its pause, so many times, and then keeps it as dead', async (open) => {
      const pauses: number[] = []
      const store = await open({
        pauseMs: (failures) => {
          pauses.push(failures)
          return 20
        },
      })
      await store.add([job('bad')])
      const at: number[] = []
      const { runs } = recorded(store, 1, () => {
        at.push(performance.now())
        throw new Error(`failure ${at.length}`)
      })
      await until(async () => (await store.counts()).dead === 1)
      assert.deepEqual(
        runs.map(({ attempt }) => attempt),
        [1, 2, 3],
      )
      assert.deepEqual(pauses, [1, 2])
      assert.ok(at[1]! - at[0]! >= 18 && at[2]! - at[1]! >= 18)
      const [dead] = await store.dead(10)
      assert.deepEqual(
        { ...dead, diedAt: 0 },
        { id: 'bad', data: 'data of bad', attempts: 3, diedAt: 0, reason: 'failure 3' },
      )
      assert.ok(Math.abs(dead!.diedAt - Date.now()) < 60_000)
    })

    test('runs a job no more whose error is final', async (open) => {
      const store = await open({ isFinal: (error) => (error as Error).message === 'final' })
      await store.add([job('bad')])
      const { runs } = recorded(store, 1, () => {
        throw new Error('final')
      })
      await until(async () => (await store.counts()).dead === 1)
      assert.equal(runs.length, 1)
      assert.equal((await store.dead(1))[0]!.reason, 'final')
    })

    test('brings dead jobs back with all their attempts, and nothing else', async (open) => {
      const store = await open({ attempts: 2 })
      let isBroken = true
      await store.add([job('one'), job('two'), job('fine', { delayMs: 60_000 })])
      const { runs } = recorded(store, 1, ({ id, attempt }) => {
        if (isBroken || (id === 'one' && attempt === 1)) throw new Error('broken')
      })
      await until(async () => (await store.counts()).dead === 2)
      assert.deepEqual((await store.dead(1)).length, 1)
      isBroken = false
      runs.length = 0
      assert.equal(await store.revive(['one', 'two', 'fine', 'nobody']), 2)
      await until(() => runs.length === 3)
      assert.equal(await store.revive(['one']), 0)
      assert.deepEqual(
        runs.filter(({ id }) => id === 'one').map(({ attempt }) => attempt),
        [1, 2],
      )
      assert.deepEqual(await store.dead(10), [])
    })

    test('runs so many at once, and not more', async (open) => {
      const store = await open()
      await store.add(Array.from({ length: 12 }, (_, index) => job(`job-${index}`)))
      let running = 0
      let most = 0
      const { runs } = recorded(store, 3, async () => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 20))
        running--
      })
      await until(() => runs.length === 12 && running === 0)
      assert.equal(most, 3)
    })

    test('waits for what runs when a worker is closed, and takes no more', async (open) => {
      const store = await open()
      await store.add([job('slow')])
      let finish: () => void = () => undefined
      const { runs, worker } = recorded(store, 1, () => new Promise<void>((resolve) => (finish = resolve)))
      await until(() => runs.length === 1)
      let isClosed = false
      const closing = worker.close(undefined).then(() => (isClosed = true))
      await store.add([job('next')])
      assert.equal(isClosed, false)
      finish()
      await closing
      assert.deepEqual(await store.counts(), { waiting: 1, delayed: 0, running: 0, dead: 0 })
      const { runs: others } = recorded(store)
      await until(() => others.length === 1)
      assert.equal(runs.length, 1)
    })

    test('leaves what runs when it is told to', async (open) => {
      const store = await open()
      await store.add([job('endless')])
      const { runs, worker } = recorded(store, 1, () => new Promise<void>(() => undefined))
      await until(() => runs.length === 1)
      await worker.close(AbortSignal.timeout(10))
    })

    test('adds a job each time of a schedule, until it is ended', async (open) => {
      const store = await open()
      // Nobody has missed a day when a day begins to count.
      await store.schedule('daily', { everyMs: 86_400_000 }, 'never')
      await store.schedule('often', { everyMs: 3_600_000 }, 'never')
      await store.schedule('often', { everyMs: 100 }, 'tick')
      await store.schedule('cron', { pattern: '* * * * * *', timeZone: 'Europe/Vienna' }, 'tock')
      const { runs } = recorded(store)
      const count = (wanted: string): number => runs.filter(({ data }) => data === wanted).length
      await until(() => count('tick') >= 3 && count('tock') >= 1)
      assert.equal(new Set(runs.map(({ id }) => id)).size, runs.length)
      assert.equal(count('never'), 0)
      assert.deepEqual(
        [await store.unschedule('often'), await store.unschedule('often'), await store.unschedule('cron')],
        [true, false, true],
      )
      assert.equal(await store.unschedule('daily'), true)
      await until(async () => {
        const { waiting, delayed, running } = await store.counts()
        return waiting + delayed + running === 0
      })
    })
  })
}
