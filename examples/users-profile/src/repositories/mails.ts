import type { OutboxJob } from '@scale/jobs'
import type { Query } from '../infrastructure/database.js'
import type { Letter, Mail } from '../infrastructure/mail.js'

/** Letters that wait to be sent. */
export interface MailsRepository {
  /** Sends a letter, if what it tells of is committed. */
  put(letter: Letter): Promise<void>
  /** The newest; for a page that a developer looks at. */
  latest(limit: number): Promise<(Letter & Pick<OutboxJob, 'id' | 'createdAt'>)[]>
}

export function mailsRepository(query: Query, { letters, outbox }: Mail): MailsRepository {
  return {
    async put(letter) {
      await outbox.add(query, letters, letter)
    },
    async latest(limit) {
      const jobs = await outbox.waiting(query, limit)
      return jobs.map(({ id, createdAt, data }) => ({ id, createdAt, ...(data as Letter) }))
    },
  }
}
