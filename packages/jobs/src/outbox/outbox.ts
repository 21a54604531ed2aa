import { randomUUID } from 'node:crypto'
import { InvalidOption, type Schema } from '@scale/core'
import type { RelayOptions } from '../options.js'
import { inside, type JobInput, type JobQueue } from '../queue.js'
import { sealedData } from '../sealed-job.js'
import { type Relay, relay } from './relay.js'
import { rowsOf, type SqlQuery } from './sql.js'

/** A job that waits in the table. */
export interface OutboxJob {
  id: string
  queue: string
  data: unknown
  createdAt: Date
}

/** Jobs that are added in a transaction of the database. */
export interface Outbox {
  /**
   * Adds a job in the transaction of `query`: it is committed with it, or rolled back.
   *
   * @param query  of that transaction, on its connection
   * @returns its id
   * @throws {InvalidJob} the schema does not take it; the transaction can go on
   */
  add<JobSchema extends Schema>(
    query: SqlQuery,
    queue: JobQueue<JobSchema>,
    data: JobInput<JobSchema>,
  ): Promise<string>
  /** Moves what is committed to the queues. Any number of processes may. @param query  of a pool */
  relay(query: SqlQuery, options?: RelayOptions): Relay
  /** What has not been moved yet, the newest first; for a person who looks. */
  waiting(query: SqlQuery, limit?: number): Promise<readonly OutboxJob[]>
}

/**
 * The table of an outbox, for a migration.
 *
 * @param table  1 to 59 lower-case letters, digits or underscores. Default `scale_outbox`
 */
export function outboxTable(table: string = 'scale_outbox'): string {
  const name = checkedTable(table)
  return `CREATE TABLE ${name} (
  id uuid PRIMARY KEY,
  queue text NOT NULL,
  job text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  due_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ${name}_due ON ${name} (due_at);
`
}

/**
 * An outbox for jobs of some queues.
 *
 * What is committed is added to its queue exactly once, whenever processes die; what is rolled back never.
 *
 * @param queues  those that have an outbox
 * @param table   see {@link outboxTable}. Default `scale_outbox`
 */
export function outbox(queues: readonly JobQueue[], table: string = 'scale_outbox'): Outbox {
  const name = checkedTable(table)
  const names = new Set(queues.map((one) => one.name))
  if (names.size < queues.length) throw new InvalidOption('outbox: two of the queues have one name.')
  return {
    async add(query, queue, data) {
      if (!names.has(queue.name)) throw new InvalidOption(`outbox: it is not for the queue ${queue.name}.`)
      const job = await queue[inside].seal(data)
      const id = randomUUID()
      await query(`INSERT INTO ${name} (id, queue, job) VALUES ($1, $2, $3)`, [id, queue.name, job])
      return id
    },
    relay: (query, options) => relay(query, { queues, table: name }, options),
    async waiting(query, limit = 100) {
      const text = `SELECT id, queue, job, created_at AS "createdAt" FROM ${name} ORDER BY created_at DESC LIMIT $1`
      const rows = rowsOf<{ job: string } & Omit<OutboxJob, 'data'>>(await query(text, [limit]))
      return rows.map(({ job, ...row }) => ({ ...row, data: sealedData(job) }))
    },
  }
}

/** A name that needs no quotes. */
function checkedTable(table: string): string {
  if (/^[a-z_][a-z0-9_]{0,58}$/.test(table)) return table
  throw new InvalidOption('outbox: the table must be 1 to 59 lower-case letters, digits or underscores.')
}
