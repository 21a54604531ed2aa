import type { Passwords } from '@scale/auth'
import type { Cache } from '@scale/cache'
import { Conflict, Forbidden, Unauthorized } from '@scale/errors'
import type { Identity, UserRow, UsersRepository } from '../repositories/users.js'
import type { Mailer } from './mailer.js'
import { userTag } from './profiles.js'

/** Registering and signing in. */
export interface Accounts {
  /** @throws {Conflict} the address is taken */
  register(user: { name: string; email: string; password: string }): Promise<UserRow>
  /** @throws {Unauthorized} unknown address or wrong password: the same answer, after the same time */
  authenticate(credentials: { email: string; password: string }): Promise<UserRow>
  /**
   * The user whom a provider has authenticated; made at their first sign-in.
   *
   * Known by issuer and subject alone. An e-mail address never opens an account that is there: whoever registered it by
   * password has not proved that it is theirs, nor has every provider.
   *
   * @param person  `describe` is asked only for somebody new
   * @throws {Forbidden} somebody new, and the provider does not say that it has verified their address
   * @throws {Conflict} somebody new, and the address has an account
   */
  enter(identity: Identity, describe: () => Promise<Description>): Promise<UserRow>
}

/** What a provider says about somebody. */
export interface Description {
  name: string
  /** `undefined`: none that is verified. */
  verifiedEmail: string | undefined
}

export function accounts(parts: {
  users: UsersRepository
  passwords: Passwords
  mailer: Mailer
  cache: Cache
}): Accounts {
  const { users, passwords, mailer, cache } = parts

  async function signedIn(user: UserRow): Promise<UserRow> {
    await users.markSeen(user.id)
    await cache.invalidateTags([userTag(user.id)])
    return user
  }

  async function join(identity: Identity, { name, verifiedEmail }: Description): Promise<UserRow> {
    if (verifiedEmail === undefined)
      throw new Forbidden('The login provider has not verified your e-mail address.', {
        code: 'EMAIL_NOT_VERIFIED',
      })
    const user = await users.insertWithIdentity({ name, email: verifiedEmail }, identity)
    if (user !== undefined) {
      mailer.welcome(user)
      return user
    }
    // Taken by the same person, who came twice at once; else by an account of its own.
    const other = await users.findByIdentity(identity)
    if (other !== undefined) return other
    throw new Conflict('Your e-mail address has an account already. Log in with its password.', {
      code: 'EMAIL_TAKEN',
    })
  }

  return {
    async register({ name, email, password }) {
      const passwordHash = await passwords.hash(password)
      const user = await users.insert({ name, email, passwordHash })
      if (user === undefined) throw new Conflict('This e-mail address has an account already.')
      mailer.welcome(user)
      return user
    },
    async authenticate({ email, password }) {
      const user = await users.findByEmail(email)
      const { isMatch, needsRehash } = await passwords.check(user?.passwordHash ?? undefined, password)
      if (user === undefined || !isMatch)
        throw new Unauthorized('The e-mail address or the password is wrong.', {
          // RFC 9110 §11.6.1: every 401 has a challenge.
          headers: { 'WWW-Authenticate': 'Bearer' },
        })
      if (needsRehash) await users.rehash(user.id, await passwords.hash(password))
      return signedIn(user)
    },
    async enter(identity, describe) {
      const user = await users.findByIdentity(identity)
      return signedIn(user ?? (await join(identity, await describe())))
    },
  }
}
