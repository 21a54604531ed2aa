import { hash, verify } from '@node-rs/argon2'

/** OWASP Password Storage Cheat Sheet: Argon2id (the library's default), 19 MiB, 2 passes, 1 lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** Hashes at once, per process: each holds 19 MiB and one thread of libuv's pool, which has four. */
const CONCURRENCY = 2

/** Waiting hashes above which a request is turned away: a flood of logins must not become a queue of minutes. */
const MAX_WAITING = 64

/** Too many passwords are being hashed at this moment. */
export class PasswordsBusy extends Error {
  readonly code: string = 'PASSWORDS_BUSY'
  readonly status: number = 503
  readonly headers: Record<string, string> = { 'Retry-After': '1' }
}

/** Hashes and checks passwords off the event loop, a few at a time. */
export class Passwords {
  #running = 0
  readonly #waiting: (() => void)[] = []
  /** What an unknown user's password is compared with, so that the answer takes as long as a known one's. */
  readonly #nobody: Promise<string> = hash('no password hashes to this one', PARAMETERS)

  hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(password, PARAMETERS))
  }

  /** @param expected  the stored hash; `undefined` for an unknown user: takes as long, and is never true */
  async matches(expected: string | undefined, password: string): Promise<boolean> {
    const stored = expected ?? (await this.#nobody)
    const isMatch = await this.#inTurn(() => verify(stored, password))
    return isMatch && expected !== undefined
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length >= MAX_WAITING)
      throw new PasswordsBusy('Too many sign-ins at once. Try again in a second.')
    if (this.#running >= CONCURRENCY) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}
