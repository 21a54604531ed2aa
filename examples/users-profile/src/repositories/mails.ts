import { randomUUID } from 'node:crypto'
import type { Query } from '../infrastructure/database.js'

/** What is said to somebody. */
export interface Letter {
  recipient: string
  subject: string
  body: string
}

/** A letter that waits to be sent, or was. */
export interface Mail extends Letter {
  /** Its Message-ID: a mail that had to be sent twice is one to whoever receives it. */
  id: string
  createdAt: Date
  sentAt: Date | null
}

/** The outbox: letters are put here in the transaction that they tell of, and sent from here by {@link mailRelay}. */
export interface MailsRepository {
  put(letter: Letter): Promise<void>
  /**
   * Takes mail that is due, for one minute and twice as long each time: whoever dies with it leaves it to others. Two takers
   * never get the same.
   */
  take(limit: number): Promise<Mail[]>
  markSent(id: string): Promise<void>
  /** The newest, sent or not; for a page that a developer looks at. */
  latest(limit: number): Promise<Mail[]>
}

const COLUMNS = 'id, recipient, subject, body, created_at AS "createdAt", sent_at AS "sentAt"'

export function mailsRepository(query: Query): MailsRepository {
  return {
    async put({ recipient, subject, body }) {
      await query('INSERT INTO mails (id, recipient, subject, body) VALUES ($1, $2, $3, $4)', [
        randomUUID(),
        recipient,
        subject,
        body,
      ])
    },
    take: (limit) =>
      query<Mail>(
        `UPDATE mails SET attempts = attempts + 1, due_at = now() + least(2 ^ attempts, 60) * interval '1 minute'
         WHERE id IN (SELECT id FROM mails WHERE sent_at IS NULL AND due_at <= now()
                      ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
         RETURNING ${COLUMNS}`,
        [limit],
      ),
    async markSent(id) {
      // The text goes: it may hold a secret.
      await query(`UPDATE mails SET sent_at = now(), body = '' WHERE id = $1`, [id])
    },
    latest: (limit) => query<Mail>(`SELECT ${COLUMNS} FROM mails ORDER BY created_at DESC LIMIT $1`, [limit]),
  }
}
