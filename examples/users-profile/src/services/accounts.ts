import type { Passwords } from '@scale/auth'
import type { Cache } from '@scale/cache'
import { Conflict, Unauthorized } from '@scale/errors'
import type { UserRow, UsersRepository } from '../repositories/users.js'
import type { Mailer } from './mailer.js'
import { userTag } from './profiles.js'

/** Registering and signing in. */
export interface Accounts {
  /** @throws {Conflict} the address is taken */
  register(user: { name: string; email: string; password: string }): Promise<UserRow>
  /** @throws {Unauthorized} unknown address or wrong password: the same answer, after the same time */
  authenticate(credentials: { email: string; password: string }): Promise<UserRow>
}

export function accounts(parts: {
  users: UsersRepository
  passwords: Passwords
  mailer: Mailer
  cache: Cache
}): Accounts {
  const { users, passwords, mailer, cache } = parts
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
      const { isMatch, needsRehash } = await passwords.check(user?.passwordHash, password)
      if (user === undefined || !isMatch)
        throw new Unauthorized('The e-mail address or the password is wrong.', {
          // RFC 9110 §11.6.1: every 401 has a challenge.
          headers: { 'WWW-Authenticate': 'Bearer' },
        })
      if (needsRehash) await users.rehash(user.id, await passwords.hash(password))
      await users.markSeen(user.id)
      await cache.invalidateTags([userTag(user.id)])
      return user
    },
  }
}
