import type { Cache, CacheResult } from '@scale/cache'
import { NotFound } from '@scale/errors'
import type { UserRow, UsersRepository } from '../repositories/users.js'

/** What a user sees of themselves. */
export interface Profile {
  id: string
  name: string
  email: string
  role: string
  /** Of the last sign-in, ISO 8601; null before the first. */
  lastSeen: string | null
}

/** Profiles: slow to read, so cached; every change invalidates them on every copy. */
export interface Profiles {
  /** @throws {NotFound} the user is gone */
  read(userId: string): Promise<CacheResult<Profile>>
  /** @throws {NotFound} the user is gone */
  rename(userId: string, name: string): Promise<Profile>
}

const PROFILE_TTL_MS = 300_000

export function profiles(users: UsersRepository, cache: Cache): Profiles {
  return {
    read: (userId) =>
      cache.getOrSetEntry(`profile:${userId}`, async () => profileOf(await users.findProfile(userId)), {
        ttlMs: PROFILE_TTL_MS,
        tags: [userTag(userId)],
      }),
    async rename(userId, name) {
      const profile = profileOf(await users.rename(userId, name))
      // After the write: a load that began before it is fenced off and stores nothing.
      await cache.invalidateTags([userTag(userId)])
      return profile
    },
  }
}

/** Everything cached that shows something of this user. */
export function userTag(userId: string): string {
  return `user:${userId}`
}

function profileOf(user: UserRow | undefined): Profile {
  if (user === undefined) throw new NotFound('This user does not exist any more.')
  const { id, name, email, role, lastSeenAt } = user
  return { id, name, email, role, lastSeen: lastSeenAt?.toISOString() ?? null }
}
