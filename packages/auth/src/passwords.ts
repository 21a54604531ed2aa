import { AuthMisuse, PasswordsBusy } from './errors.js'
import { type PasswordsOptions, resolvePasswordsOptions } from './passwords-options.js'
import { turns } from './turns.js'

/** What came of a password. */
export interface PasswordCheck {
  readonly isMatch: boolean
  /** Only with a match: true if it was hashed with other parameters. Then hash it again and store that. */
  readonly needsRehash: boolean
}

/** Hashes and checks passwords, off the event loop and a few at a time. */
export interface Passwords {
  /**
   * @returns a hash in PHC form, parameters and salt included; each call gives another
   * @throws {PasswordsBusy} too many are waiting
   */
  hash(password: string): Promise<string>
  /**
   * Checks a password.
   *
   * @param stored  what `hash` gave; `undefined` for an unknown user: takes as long, and never matches
   * @throws {PasswordsBusy} too many are waiting
   * @throws {AuthMisuse} what is stored is no hash of Argon2
   */
  check(stored: string | undefined, password: string): Promise<PasswordCheck>
}

type Argon2 = typeof import('@node-rs/argon2')

const NO_MATCH: PasswordCheck = Object.freeze({ isMatch: false, needsRehash: false })

/**
 * Argon2id by `@node-rs/argon2`, which the app installs.
 *
 * @throws {InvalidOption} an option is wrong
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
 */
export function passwords(options?: PasswordsOptions): Passwords {
  const { memoryKiB, passes, lanes, concurrency, maxWaiting } = resolvePasswordsOptions(options)
  const parameters = { memoryCost: memoryKiB, timeCost: passes, parallelism: lanes } as const
  const wanted = `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$`
  const inTurn = turns(concurrency, maxWaiting, () => new PasswordsBusy())
  /** What an unknown user's password is compared with. */
  let nobody: Promise<string> | undefined

  async function hash(password: string): Promise<string> {
    const argon2 = await loadArgon2()
    return inTurn(() => argon2.hash(password, parameters))
  }

  return {
    hash,
    check: async (stored, password) => {
      const argon2 = await loadArgon2()
      // Not in turn: a full queue must not be what every later login of an unknown user meets.
      nobody ??= argon2.hash('no password hashes to this one', parameters).catch((error: unknown) => {
        nobody = undefined
        throw error
      })
      const expected = stored ?? (await nobody)
      if (!expected.startsWith('$argon2'))
        throw new AuthMisuse('passwords: what is stored is no hash of Argon2.')
      const isMatch = await inTurn(() => argon2.verify(expected, password))
      if (!isMatch || stored === undefined) return NO_MATCH
      return { isMatch, needsRehash: !stored.startsWith(wanted) }
    },
  }
}

let loading: Promise<Argon2> | undefined

/** Loaded at the first use, once for all. */
function loadArgon2(): Promise<Argon2> {
  loading ??= import('@node-rs/argon2').catch((cause: unknown) => {
    loading = undefined
    const missing = new AuthMisuse('passwords: install `@node-rs/argon2`, which this needs.')
    missing.cause = cause
    throw missing
  })
  return loading
}
