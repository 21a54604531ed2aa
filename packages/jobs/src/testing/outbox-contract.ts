import assert from 'node:assert/strict'
import { type JobQueue, type Outbox, outbox, outboxTable, type SqlQuery } from '../index.js'
import { type ContractRunner, until } from './runner.js'

/** A database, and a queue whose jobs are `{ n: number }`. */
export interface OutboxUnderTest {
  /** Asks on any connection. */
  query: SqlQuery
  /** Asks together, or not at all if `work` throws. */
  transaction(work: (query: SqlQuery) => Promise<void>): Promise<void>
  /** An empty one. */
  queue: JobQueue
}

/**
 * What an outbox must do with a database and a queue, as tests. Each test makes a table of its own.
 *
 * @param make  gives both; called once per test
 */
export function outboxContract(
  { describe, it }: ContractRunner,
  name: string,
  make: () => Promise<OutboxUnderTest>,
): void {
  let count = 0
  interface Given extends OutboxUnderTest {
    box: Outbox
    table: string
    ran: { n: number; id: string }[]
  }
  const test = (title: string, body: (given: Given) => Promise<void>) =>
    it(title, async () => {
      const given = await make()
      const table = `outbox_${process.pid}_${count++}_${Math.random().toString(36).slice(2)}`
      for (const statement of outboxTable(table).split(';\n').filter(Boolean))
        await given.query(statement, [])
      const ran: { n: number; id: string }[] = []
      given.queue.work((data, { id }) => ran.push({ ...(data as { n: number }), id }), { concurrency: 4 })
      try {
        await body({ ...given, table, ran, box: outbox([given.queue], table) })
      } finally {
        await given.queue.close()
      }
    })
  const numbers = (ran: readonly { n: number }[]): number[] => ran.map(({ n }) => n).sort((a, b) => a - b)
  const isEmpty = async ({ query, box }: Given): Promise<boolean> => (await box.waiting(query)).length === 0

  describe(`${name}: outbox`, () => {
    test('moves what is committed, once, and nothing that is rolled back', async (given) => {
      const { box, query, queue, ran, transaction } = given
      const relays = [1, 2, 3].map(() => box.relay(query, { pollMs: 5, batch: 3 }))
      const all = Array.from({ length: 40 }, (_, n) => n)
      await Promise.all(
        all.map((n) =>
          transaction(async (inside) => {
            await box.add(inside, queue, { n })
            if (n % 4 === 0) throw new Error('rolled back')
          }).catch((error: Error) => assert.equal(error.message, 'rolled back')),
        ),
      )
      const committed = all.filter((n) => n % 4 !== 0)
      await until(() => ran.length >= committed.length)
      await until(() => isEmpty(given))
      await Promise.all(relays.map((relay) => relay.close()))
      assert.deepEqual(numbers(ran), committed)
    })

    test('shows nothing of a transaction before it is committed', async ({
      box,
      query,
      queue,
      ran,
      transaction,
    }) => {
      const relay = box.relay(query, { pollMs: 5 })
      await transaction(async (inside) => {
        await box.add(inside, queue, { n: 1 })
        await new Promise((resolve) => setTimeout(resolve, 50))
        assert.deepEqual(ran, [])
      })
      relay.wake()
      await until(() => ran.length === 1)
      await relay.close()
    })

    test('makes one job of a row whose relay has died after it was added and before it was deleted', async (given) => {
      const { box, query, queue, ran, table } = given
      const id = await box.add(query, queue, { n: 7 })
      // The one that dies: everything is lost of it but what it has asked.
      const dying = box.relay(
        (text, values) => (text.startsWith('DELETE') ? new Promise(() => undefined) : query(text, values)),
        { pollMs: 5 },
      )
      await until(() => ran.length === 1)
      assert.deepEqual(ran, [{ n: 7, id }])
      assert.equal((await box.waiting(query)).length, 1)
      await query(`UPDATE ${table} SET due_at = now()`, [])
      const healthy = box.relay(query, { pollMs: 5 })
      await until(() => isEmpty(given))
      await box.add(query, queue, { n: 8 })
      await until(() => ran.some(({ n }) => n === 8))
      assert.deepEqual(numbers(ran), [7, 8])
      await healthy.close()
      void dying
    })

    test('leaves rows to their relay for a while, and then to others', async (given) => {
      const { box, query, queue, ran } = given
      await box.add(query, queue, { n: 1 })
      let taken = 0
      const dead = box.relay(
        async (text, values) => {
          if (text.startsWith('UPDATE')) taken += Number((await query(text, values)) !== undefined)
          return new Promise(() => undefined)
        },
        { pollMs: 5, leaseMs: 1_000 },
      )
      await until(() => taken === 1)
      const startedAt = performance.now()
      const healthy = box.relay(query, { pollMs: 5 })
      await until(() => isEmpty(given))
      await until(() => ran.length === 1)
      assert.ok(performance.now() - startedAt > 500)
      await healthy.close()
      void dead
    })

    test('goes on after failures of the database', async (given) => {
      const { box, query, queue, ran } = given
      await box.add(query, queue, { n: 1 })
      let calls = 0
      const relay = box.relay(
        async (text, values) => {
          if (calls++ < 3) throw new Error('the database is away')
          return query(text, values)
        },
        { pollMs: 5 },
      )
      await until(() => ran.length === 1)
      await until(() => isEmpty(given))
      await relay.close()
    })

    test('refuses what the schema does not take, before it is in the table', async ({
      box,
      query,
      queue,
    }) => {
      await assert.rejects(box.add(query, queue, { n: 'seven' }), { code: 'ERR_SCALE_INVALID_JOB' })
      assert.deepEqual(await box.waiting(query), [])
      const id = await box.add(query, queue, { n: 7 })
      const [{ createdAt, ...row }] = (await box.waiting(query)) as [
        Awaited<ReturnType<Outbox['waiting']>>[number],
      ]
      assert.deepEqual(row, { id, queue: queue.name, data: { n: 7 } })
      assert.ok(new Date(createdAt).getTime() > 0)
    })
  })
}
