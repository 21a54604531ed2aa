import type { RequestHandler } from 'express'
import type { MailsRepository } from '../repositories/mails.js'

/** `GET /v1/outbox`: in development, where there is no mail server, the mail that would have been sent. */
export function showOutbox(mails: MailsRepository): RequestHandler {
  return async function showOutbox(_req, res) {
    res.setHeader('Cache-Control', 'no-store')
    res.json({ mails: await mails.latest(20) })
  }
}
