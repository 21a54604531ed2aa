import { hash } from 'node:crypto'
import { AuthMisuse, PasswordsBusy } from '../errors.js'
import { turns } from '../verification/turns.js'
import { type PasswordsOptions, resolvePasswordsOptions } from './options.js'
import { labelled, type Pepper, pepperOf, unlabelled } from './peppers.js'
import { matchesScrypt } from './scrypt.js'

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
   * @param stored  what `hash` gave, or a hash of scrypt in PHC form, or one of bcrypt with the option `bcrypt`; `undefined` for an
   *   unknown user: takes as long as one whose hash is of today, and never matches
   * @throws {PasswordsBusy} too many are waiting
   * @throws {AuthMisuse} what is stored is none of these, or its pepper is not there
   */
  check(stored: string | undefined, password: string): Promise<PasswordCheck>
  /**
   * Whether a password is on a list of breached ones. Ask before you hash a new one.
   *
   * @throws {AuthMisuse} there is no option `breachedRange`
   * @throws what that throws: whether to go on without an answer is yours to decide
   */
  isBreached(password: string): Promise<boolean>
}

type Argon2 = typeof import('@node-rs/argon2')

const NO_MATCH: PasswordCheck = Object.freeze({ isMatch: false, needsRehash: false })

/**
 * Argon2id by `@node-rs/argon2`, which the app installs; and hashes of an earlier time, until their users sign in.
 *
 * @throws {InvalidOption} an option is wrong
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
 */
export function passwords(options?: PasswordsOptions): Passwords {
  const { memoryKiB, passes, lanes, concurrency, maxWaiting, ...others } = resolvePasswordsOptions(options)
  const { bcrypt, breachedRange } = others
  const peppers = (others.peppers ?? []).map(pepperOf)
  const secretOf = (pepper: Pepper | undefined): object =>
    pepper === undefined ? {} : { secret: pepper.secret }
  const parameters = { memoryCost: memoryKiB, timeCost: passes, parallelism: lanes } as const
  const wanted = labelled(`$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$`, peppers[0])
  const inTurn = turns(concurrency, maxWaiting, () => new PasswordsBusy())
  /** What an unknown user's password is compared with. */
  let nobody: Promise<string> | undefined

  async function hashOf(argon2: Argon2, password: string): Promise<string> {
    return labelled(await argon2.hash(password, { ...parameters, ...secretOf(peppers[0]) }), peppers[0])
  }

  async function matches(argon2: Argon2, stored: string, password: string): Promise<boolean> {
    if (stored.startsWith('$argon2')) {
      const { phc, pepper } = unlabelled(stored, peppers)
      return argon2.verify(phc, password, secretOf(pepper))
    }
    const isBcrypt = /^\$2[aby]\$\d\d\$[\w./]{53}$/.test(stored)
    const isMatch = isBcrypt ? await bcrypt?.compare(password, stored) : await matchesScrypt(stored, password)
    if (isMatch !== undefined) return isMatch
    throw new AuthMisuse(
      isBcrypt
        ? 'passwords: what is stored is a hash of bcrypt: pass the option `bcrypt`.'
        : 'passwords: what is stored is no hash of Argon2, scrypt or bcrypt.',
    )
  }

  return {
    hash: async (password) => {
      const argon2 = await loadArgon2()
      return inTurn(() => hashOf(argon2, password))
    },
    check: async (stored, password) => {
      const argon2 = await loadArgon2()
      // Not in turn: a full queue must not be what every later login of an unknown user meets.
      nobody ??= hashOf(argon2, 'no password hashes to this one').catch((error: unknown) => {
        nobody = undefined
        throw error
      })
      const expected = stored ?? (await nobody)
      const isMatch = await inTurn(() => matches(argon2, expected, password))
      if (!isMatch || stored === undefined) return NO_MATCH
      return { isMatch, needsRehash: !stored.startsWith(wanted) }
    },
    isBreached: async (password) => {
      if (breachedRange === undefined) {
        throw new AuthMisuse(
          'isBreached: pass the option `breachedRange`, which asks a list of breached passwords.',
        )
      }
      const digest = hash('sha1', password, 'hex').toUpperCase()
      const lines = (await breachedRange(digest.slice(0, 5))).split(/\r?\n/)
      // Lines with 0 are there so that the length of the answer tells nothing.
      return lines.some(
        (line) => line.toUpperCase().startsWith(`${digest.slice(5)}:`) && !/:0*\s*$/.test(line),
      )
    },
  }
}

let loading: Promise<Argon2> | undefined

/** Loaded at the first use, once for all. */
function loadArgon2(): Promise<Argon2> {
  // It is native, and may not be there: a bundler leaves it alone.
  loading ??= import(/* webpackIgnore: true */ '@node-rs/argon2').catch((cause: unknown) => {
    loading = undefined
    const missing = new AuthMisuse('passwords: install `@node-rs/argon2`, which this needs.')
    missing.cause = cause
    throw missing
  })
  return loading
}
