import { hash } from 'node:crypto'
import { AuthMisuse } from '../errors.js'

/** A secret of Argon2, and the name by which a hash tells which one it needs. */
export interface Pepper {
  readonly id: string
  readonly secret: Buffer
}

/** @param secret  not to be learnt from its name: 48 bits of a hash of 256 random ones */
export function pepperOf(secret: string): Pepper {
  return { id: hash('sha256', `pepper ${secret}`, 'base64url').slice(0, 8), secret: Buffer.from(secret) }
}

/** The parameter of the PHC form for it. */
const KEY_ID = /^(\$argon2(?:id|i|d)\$v=\d+\$[^$]*),keyid=([\w-]{8})(?=\$)/

/** Writes into a hash in PHC form which pepper it was made with. */
export function labelled(phc: string, pepper: Pepper | undefined): string {
  if (pepper === undefined) return phc
  const [empty, type, version, parameters, ...rest] = phc.split('$')
  return [empty, type, version, `${parameters},keyid=${pepper.id}`, ...rest].join('$')
}

/**
 * The hash as Argon2 knows it, and the pepper that it needs.
 *
 * @throws {AuthMisuse} none of those that there are
 */
export function unlabelled(
  stored: string,
  peppers: readonly Pepper[],
): { phc: string; pepper: Pepper | undefined } {
  const [, parameters, id] = KEY_ID.exec(stored) ?? []
  if (id === undefined) return { phc: stored, pepper: undefined }
  const pepper = peppers.find((one) => one.id === id)
  if (pepper === undefined) {
    throw new AuthMisuse(
      'passwords: a hash needs a pepper that is not among `peppers`: put the earlier ones after the first.',
    )
  }
  return { phc: stored.replace(KEY_ID, parameters!), pepper }
}
