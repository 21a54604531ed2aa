import { integer, type OptionChecks, type ResolvedOptions, resolveOptions } from '@scale/core'

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
  /** Hashes that wait, above which a call fails with `PasswordsBusy`. 0–100,000. Default 64 */
  maxWaiting?: number
}

/** The defaults of {@link PasswordsOptions}. */
export const passwordsDefaults: Readonly<Required<PasswordsOptions>> = Object.freeze({
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
  maxWaiting: integer(0, 100_000),
}

/** @throws {InvalidOption} */
export function resolvePasswordsOptions(
  options: PasswordsOptions | undefined,
): Readonly<ResolvedOptions<PasswordsOptions, typeof passwordsDefaults>> {
  return resolveOptions('passwords', options, { checks, defaults: passwordsDefaults })
}
