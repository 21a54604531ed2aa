import type { Passwords } from '@scale/auth'
import type { Cache } from '@scale/cache'
import { BadRequest, Conflict, Forbidden, Unauthorized } from '@scale/errors'
import type { Repositories, Together } from '../repositories/repositories.js'
import type { Purpose } from '../repositories/secrets.js'
import type { Identity, UserRow } from '../repositories/users.js'
import type { letters } from './letters.js'
import { userTag } from './profiles.js'

/** Registering, signing in, and what mail is needed for. */
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
  /** @throws {Unauthorized} `current` is wrong, or there is none: who signs in through a provider asks for a first one by mail */
  changePassword(userId: string, current: string, next: string): Promise<void>
  /** Sends a link by mail, if somebody has this address; whether they do nobody learns, not even by the time. */
  askReset(email: string): Promise<void>
  /** @returns  whose password it was @throws {BadRequest} the link is used, too old, or nobody's */
  resetPassword(secret: string, next: string): Promise<string>
  /** @throws {BadRequest} the link is used, too old, or nobody's */
  verifyEmail(secret: string): Promise<void>
}

/** What a provider says about somebody. */
export interface Description {
  name: string
  /** `undefined`: none that is verified. */
  verifiedEmail: string | undefined
}

const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000]
/** What asking for a link takes, whether or not there is somebody to send it to, in ms. */
const ASKING_MS = 100

export function accounts(parts: {
  repositories: Repositories & { together: Together }
  passwords: Passwords
  letters: ReturnType<typeof letters>
  cache: Cache
}): Accounts {
  const { passwords, letters, cache } = parts
  const { users, together } = parts.repositories

  /** Somebody new is told so in the transaction that makes them. */
  const made = (make: (all: Repositories) => Promise<UserRow | undefined>): Promise<UserRow | undefined> =>
    together(async (all) => {
      const user = await make(all)
      if (user !== undefined) {
        await all.mails.put(letters.welcome(user, await all.secrets.create('verify-email', user.id, DAY_MS)))
      }
      return user
    })

  async function setPassword(
    { users, secrets, mails }: Repositories,
    user: UserRow,
    hash: string,
  ): Promise<void> {
    await users.setPasswordHash(user.id, hash)
    // A link that is still in some mailbox opens nothing any more.
    await secrets.forget('reset-password', user.id)
    await mails.put(letters.passwordChanged(user))
  }

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
    const user = await made(({ users }) => users.insertWithIdentity({ name, email: verifiedEmail }, identity))
    if (user !== undefined) return user
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
      const user = await made(({ users }) => users.insert({ name, email, passwordHash }))
      if (user === undefined) throw new Conflict('This e-mail address has an account already.')
      return user
    },
    async authenticate({ email, password }) {
      const user = await users.findByEmail(email)
      const { isMatch, needsRehash } = await passwords.check(user?.passwordHash ?? undefined, password)
      if (user === undefined || !isMatch)
        throw new Unauthorized('The e-mail address or the password is wrong.', CHALLENGE)
      if (needsRehash) await users.setPasswordHash(user.id, await passwords.hash(password))
      return signedIn(user)
    },
    async enter(identity, describe) {
      const user = await users.findByIdentity(identity)
      return signedIn(user ?? (await join(identity, await describe())))
    },
    async changePassword(userId, current, next) {
      const user = await users.find(userId)
      const { isMatch } = await passwords.check(user?.passwordHash ?? undefined, current)
      if (user === undefined || !isMatch) throw new Unauthorized('The password is wrong.', CHALLENGE)
      const hash = await passwords.hash(next)
      await together((all) => setPassword(all, user, hash))
    },
    async askReset(email) {
      const ask = async (): Promise<void> => {
        const user = await users.findByEmail(email)
        if (user === undefined) return
        await together(async ({ secrets, mails }) =>
          mails.put(letters.reset(user, await secrets.create('reset-password', user.id, HOUR_MS))),
        )
      }
      await Promise.all([ask(), new Promise((resolve) => setTimeout(resolve, ASKING_MS))])
    },
    async resetPassword(secret, next) {
      const hash = await passwords.hash(next)
      return together(async (all) => {
        const user = await redeemer(all, 'reset-password', secret)
        await setPassword(all, user, hash)
        // Whoever read the mail has the address.
        await all.users.markVerified(user.id)
        return user.id
      })
    },
    verifyEmail: (secret) =>
      together(async (all) => all.users.markVerified((await redeemer(all, 'verify-email', secret)).id)),
  }
}

/** RFC 9110 §11.6.1: every 401 has a challenge. */
const CHALLENGE = { headers: { 'WWW-Authenticate': 'Bearer' } }

async function redeemer(
  { users, secrets }: Repositories,
  purpose: Purpose,
  secret: string,
): Promise<UserRow> {
  const userId = await secrets.redeem(purpose, secret)
  const user = userId === undefined ? undefined : await users.find(userId)
  if (user === undefined) {
    throw new BadRequest('This link was used already, is too old, or is nobody’s.', { code: 'LINK_INVALID' })
  }
  return user
}
