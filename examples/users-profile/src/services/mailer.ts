/** Sends mail. The one of this example only counts: put your provider's client here. */
export interface MailTransport {
  send(mail: { to: string; subject: string; text: string }): Promise<void>
}

/** Mail that waits. Above this number new mail is refused and counted, so that memory stays bounded. */
const MAX_QUEUED = 1_000

/** Queues mail and sends it in the background, one at a time: no request waits for a mail server. */
export class Mailer {
  readonly #transport: MailTransport
  readonly #queue: Parameters<MailTransport['send']>[0][] = []
  #sending: Promise<void> = Promise.resolve()
  #isSending = false
  /** Mail that was refused because the queue was full, or that the transport failed to send. */
  lost = 0

  constructor(transport: MailTransport) {
    this.#transport = transport
  }

  welcome(user: { name: string; email: string }): void {
    if (this.#queue.length >= MAX_QUEUED) {
      this.lost++
      return
    }
    this.#queue.push({
      to: user.email,
      subject: 'Welcome',
      text: `Hello ${user.name}, your account is ready.`,
    })
    if (!this.#isSending) this.#sending = this.#sendAll()
  }

  /** Resolves when everything queued so far has been handed over; called by the drain. */
  flush(): Promise<void> {
    return this.#sending
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    for (let mail = this.#queue.shift(); mail !== undefined; mail = this.#queue.shift()) {
      await this.#transport.send(mail).catch(() => {
        this.lost++
      })
    }
    this.#isSending = false
  }
}
