import { type JobQueue, type Outbox, outbox, queue } from '@scale/jobs'
import type { RedisClient } from '@scale/redis'
import { policy } from '@scale/resilience'
import { createTransport } from 'nodemailer'
import { z } from 'zod'
import type { Query } from './database.js'

/** What is said to somebody. */
const Letter = z.object({ recipient: z.string(), subject: z.string(), body: z.string() })
export type Letter = z.output<typeof Letter>

/** Letters are put into the outbox in the transaction that they tell of; from there they go to a queue, and are sent. */
export interface Mail {
  letters: JobQueue<typeof Letter>
  outbox: Outbox
}

/** @param redis  `undefined`: letters of the only process there is */
export function mail(redis: RedisClient | undefined): Mail {
  const store = redis === undefined ? { allowMemoryStore: true } : { redis }
  const letters = queue('letters', {
    ...store,
    schema: Letter,
    // A mail server may be away for a day: a second's pause after the first failure, hours after the last ones.
    attempts: 20,
    maxBackoffMs: 7_200_000,
    lockMs: TAKEN_MS,
  })
  return { letters, outbox: outbox([letters]) }
}

/** How long a letter is left to a process that has died, in ms. */
const TAKEN_MS = 10_000
/** Longest wait for a mail server, in ms. */
const SMTP_TIMEOUT_MS = 10_000

/**
 * Sends each letter once, as far as SMTP can: one whose process dies between the server's "accepted" and the note of it is sent
 * again, under the same Message-ID.
 *
 * @param smtpUrl  `smtp://` or `smtps://`
 * @param sender   the address in `From`
 */
export function sendMail(
  { letters, outbox }: Mail,
  { query, smtpUrl, sender }: { query: Query; smtpUrl: string; sender: string },
): { stop(options: { signal: AbortSignal }): Promise<void> } {
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: 2,
    connectionTimeout: SMTP_TIMEOUT_MS,
    greetingTimeout: SMTP_TIMEOUT_MS,
    socketTimeout: SMTP_TIMEOUT_MS,
  })
  // A mail server that is down is left alone: letters fail at once, and wait.
  const smtp = policy('smtp', { deadlineMs: 3 * SMTP_TIMEOUT_MS })
  const relay = outbox.relay(query, { leaseMs: TAKEN_MS })
  letters.work(
    async ({ recipient, subject, body }, { id }) => {
      const messageId = `<${id}@${sender.split('@')[1]}>`
      await smtp.run(() =>
        transport.sendMail({ messageId, from: sender, to: recipient, subject, text: body }),
      )
    },
    { concurrency: 2 },
  )
  return {
    async stop(options) {
      await relay.close()
      await letters.close(options)
      transport.close()
    },
  }
}
