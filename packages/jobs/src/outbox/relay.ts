import { resolveOptions } from '@scale/core'
import { relayChannel } from '../channels.js'
import { type RelayOptions, relayChecks, relayDefaults } from '../options.js'
import { inside, type JobQueue } from '../queue.js'
import { rowsOf, type SqlQuery } from './sql.js'

/** Moves jobs from the table to their queues. */
export interface Relay {
  /** Looks at once: somebody has committed. */
  wake(): void
  /** Ends after the batch it is at. */
  close(): Promise<void>
}

interface Row {
  id: string
  queue: string
  job: string
}

/** Longest pause after failures, in ms. */
const MAX_PAUSE_MS = 10_000

/**
 * Takes rows for a while, adds their jobs under the ids of the rows, and deletes them. Whoever dies in between leaves rows that
 * somebody else takes later, and whose jobs the queue knows already: a row becomes one job.
 */
export function relay(
  query: SqlQuery,
  { queues, table }: { queues: readonly JobQueue[]; table: string },
  options: RelayOptions | undefined,
): Relay {
  const { pollMs, leaseMs, batch } = resolveOptions('relay', options, {
    checks: relayChecks,
    defaults: relayDefaults,
  })
  const byName = new Map(queues.map((one) => [one.name, one]))
  let isClosed = false
  let failures = 0
  let wake: () => void = () => undefined

  /** @returns how many were moved */
  async function move(): Promise<number> {
    const rows = await take()
    for (const [name, queue] of byName) {
      const own = rows.filter((row) => row.queue === name)
      if (own.length === 0) continue
      await queue[inside].add(own.map(({ id, job }) => ({ id, data: job, delayMs: 0, isKept: true })))
      await query(`DELETE FROM ${table} WHERE id = ANY($1)`, [own.map(({ id }) => id)])
    }
    return rows.length
  }

  async function take(): Promise<readonly Row[]> {
    const text = `UPDATE ${table} SET due_at = now() + $3 * interval '1 millisecond'
      WHERE id IN (SELECT id FROM ${table} WHERE due_at <= now() AND queue = ANY($1)
                   ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
      RETURNING id, queue, job`
    return rowsOf<Row>(await query(text, [[...byName.keys()], batch, leaseMs]))
  }

  async function moveOrTell(): Promise<number> {
    try {
      const moved = await move()
      failures = 0
      if (moved > 0) relayChannel.publish({ moved, error: undefined })
      return moved
    } catch (error) {
      failures++
      relayChannel.publish({ moved: 0, error })
      return 0
    }
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async function run(): Promise<void> {
    while (!isClosed) {
      const moved = await moveOrTell()
      // A full batch: there may be more.
      if (moved >= batch || isClosed) continue
      // Relays that began together do not ask together.
      const longestMs = Math.min(pollMs * 2 ** Math.min(failures, 16), Math.max(pollMs, MAX_PAUSE_MS))
      await pause(longestMs * (0.5 + Math.random() / 2))
    }
  }

  const running = run()
  return {
    wake: () => wake(),
    close() {
      isClosed = true
      wake()
      return running
    },
  }
}
