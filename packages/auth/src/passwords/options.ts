import {
  arrayOf,
  func,
  integer,
  type OptionChecks,
  type ResolvedOptions,
  resolveOptions,
  string,
} from '@scale/core'

/** What `passwords` takes. The cost is that of the OWASP Password Storage Cheat Sheet for Argon2id. */
export interface PasswordsOptions {
  /** Memory for one hash, in KiB. 8,192–4,194,304. Default 19,456 */
  memoryKiB?: number
  /** Passes over that memory. 1–64. Default 2 */
  passes?: number
  /** Lanes of one hash. 1–16. Default 1 */
  lanes?: number
  /** Hashes at once in this process: each holds its memory, and one of the four threads of libuv's pool. 1–1,024. Default 2 */
  concurrency?: number
  /**
   * Secrets of 32 characters or more that are no part of the store: with a copy of it alone, nobody can guess. The first one is hashed
   * with; the others, which came before it, still match, and so do hashes without any, and want to be hashed again. Default none
   */
  peppers?: readonly string[]
  /** Checks bcrypt hashes of an earlier time: the package `bcrypt` or `bcryptjs`, of which `compare` is called. Default none */
  bcrypt?: BcryptCompare
  /**
   * Asks a list of breached passwords: given the first 5 characters of the SHA-1 of one, in capitals, resolves to lines of the other
   * 35, a colon and a number, as `https://api.pwnedpasswords.com/range/` does. Who keeps the list does not learn the password.
   * Default none
   */
  breachedRange?: (prefix: string) => Promise<string>
  /** Hashes that wait, above which a call fails with `PasswordsBusy`. 0–100,000. Default 64 */
  maxWaiting?: number
}

/** What is asked of a package for bcrypt. */
export interface BcryptCompare {
  compare(password: string, stored: string): Promise<boolean>
}

type WithDefault = 'memoryKiB' | 'passes' | 'lanes' | 'concurrency' | 'maxWaiting'

/** The defaults of {@link PasswordsOptions}. */
export const passwordsDefaults: Readonly<Required<Pick<PasswordsOptions, WithDefault>>> = Object.freeze({
  memoryKiB: 19_456,
  passes: 2,
  lanes: 1,
  concurrency: 2,
  maxWaiting: 64,
})

const checks: OptionChecks<PasswordsOptions> = {
  memoryKiB: integer(8_192, 4_194_304),
  passes: integer(1, 64),
  lanes: integer(1, 16),
  concurrency: integer(1, 1_024),
  peppers: arrayOf(string(32, 1_024), 1),
  bcrypt: (value) =>
    typeof (value as Partial<BcryptCompare> | null)?.compare === 'function'
      ? undefined
      : 'the package `bcrypt` or `bcryptjs`',
  breachedRange: func,
  maxWaiting: integer(0, 100_000),
}

/** @throws {InvalidOption} */
export function resolvePasswordsOptions(
  options: PasswordsOptions | undefined,
): Readonly<ResolvedOptions<PasswordsOptions, typeof passwordsDefaults>> {
  return resolveOptions('passwords', options, { checks, defaults: passwordsDefaults })
}
