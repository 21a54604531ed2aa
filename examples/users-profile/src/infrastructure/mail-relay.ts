import type { AppLogger } from '@scale/logger'
import { createTransport } from 'nodemailer'
import type { Mail, MailsRepository } from '../repositories/mails.js'

/** How long the outbox is left alone when it was empty, in ms; what another copy put there waits no longer. */
const PAUSE_MS = 1_000
/** Longest wait for a mail server, in ms: well below the minute for which a mail is taken. */
const SMTP_TIMEOUT_MS = 10_000
const BATCH = 20

/** Sends what is in the outbox, one batch after the other. */
export interface MailRelay {
  /** Sends what it has taken, and no more. */
  stop(): Promise<void>
}

/**
 * Sends each mail once, as far as SMTP can: a process that dies between the server's "accepted" and the note of it leaves a
 * mail that is sent again a minute later, under the same Message-ID.
 *
 * @param smtpUrl  `smtp://` or `smtps://`
 * @param sender   the address in `From`
 */
export function mailRelay(
  mails: MailsRepository,
  { smtpUrl, sender, logger }: { smtpUrl: string; sender: string; logger: AppLogger },
): MailRelay {
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: 2,
    connectionTimeout: SMTP_TIMEOUT_MS,
    greetingTimeout: SMTP_TIMEOUT_MS,
    socketTimeout: SMTP_TIMEOUT_MS,
  })
  let isStopping = false
  let wake: () => void = () => undefined
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, PAUSE_MS)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })

  async function send({ id, recipient, subject, body, createdAt }: Mail): Promise<void> {
    try {
      const messageId = `<${id}@${sender.split('@')[1]}>`
      await transport.sendMail({
        messageId,
        date: createdAt,
        from: sender,
        to: recipient,
        subject,
        text: body,
      })
      await mails.markSent(id)
    } catch (err) {
      // It is due again by itself. To whom it goes is not for the log.
      logger.warn({ err, mail: id }, 'a mail could not be sent and will be tried again')
    }
  }

  async function run(): Promise<void> {
    while (!isStopping) {
      const batch = await mails.take(BATCH).catch((err: unknown) => {
        logger.warn({ err }, 'the outbox could not be read')
        return []
      })
      await Promise.all(batch.map(send))
      if (batch.length === 0 && !isStopping) await pause()
    }
    transport.close()
  }

  const running = run()
  return {
    stop() {
      isStopping = true
      wake()
      return running
    },
  }
}
