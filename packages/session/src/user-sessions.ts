import { revokedChannel } from './channels.js'
import { SessionMisuse } from './errors.js'
import type { SessionConfig } from './options.js'
import { clientPlace } from './request/client-info.js'
import type { ListedSession } from './store.js'
import { isSessionId, userTag } from './stores/token.js'

/** One line of the list of a user's sessions. */
export interface SessionInfo {
  /** Public: ends the session by `revoke(id)`, and opens nothing. */
  readonly id: string
  /** By the store's clock, in epoch ms. */
  readonly createdAt: number
  /** Of the last use that was written down, in epoch ms. */
  readonly lastSeenAt: number
  /** Of the login or the last `elevate()`, in epoch ms. */
  readonly authenticatedAt: number
  /** The absolute end, in epoch ms. */
  readonly expiresAt: number
  /** Of the client that logged in; `undefined` if it was not kept. */
  readonly address: string | undefined
  /** The `User-Agent` of the client that logged in, at most 256 characters. */
  readonly agent: string | undefined
  /** Whether it is the one that asks. */
  readonly current: boolean
}

/** All sessions of one user. */
export interface UserSessions {
  /**
   * The sessions that are alive, the last used first.
   *
   * @param options.limit  1–10,000. Default 100
   */
  list(options?: { limit?: number }): Promise<SessionInfo[]>
  /** Ends one, everywhere and at once. @returns false if the user has no such session */
  revoke(id: string): Promise<boolean>
  /** Ends all but the current one, in one step. @returns how many ended */
  revokeOthers(): Promise<number>
  /** Ends all, in one step, however many there are. @returns how many ended */
  revokeAll(): Promise<number>
}

/** @param currentId  public id of the session that asks, if one does */
export function userSessions(
  config: SessionConfig,
  userId: string,
  currentId: string | undefined,
): UserSessions {
  const stores = config.shared === undefined ? [config.store] : [config.store, config.shared.store]
  const tag = userTag(userId)
  const endAll = async (keepId?: string): Promise<number> => {
    const counts = await Promise.all(stores.map((store) => store.endAll(tag, keepId)))
    return counts.reduce((sum, count) => sum + count, 0)
  }
  const report = (by: 'one' | 'others' | 'all', count: number): number => {
    if (count > 0 && revokedChannel.hasSubscribers) revokedChannel.publish({ userId, by, count })
    return count
  }
  return {
    list: async ({ limit = 100 } = {}) => {
      if (!Number.isInteger(limit) || limit < 1 || limit > 10_000) {
        throw new SessionMisuse('list: `limit` must be an integer from 1 to 10,000.')
      }
      const sessions = (await Promise.all(stores.map((store) => store.list(tag, limit)))).flat()
      if (stores.length > 1) sessions.sort((a, b) => b.record.lastSeenAt - a.record.lastSeenAt)
      return sessions.slice(0, limit).map((session) => infoOf(config, session, currentId))
    },
    revoke: async (id) => {
      if (!isSessionId(id)) return false
      const all = await Promise.all(stores.map((store) => store.end({ tag, id })))
      const ended = all.find((session) => session !== undefined)
      return report('one', ended?.record.userId === userId && ended.listed ? 1 : 0) === 1
    },
    revokeOthers: async () => {
      if (currentId === undefined) {
        throw new SessionMisuse(
          'revokeOthers: say which is the current one, as `sessions.of(req.session)` does.',
        )
      }
      return report('others', await endAll(currentId))
    },
    revokeAll: async () => report('all', await endAll()),
  }
}

function infoOf(
  { codec }: SessionConfig,
  { id, record, client: stored }: ListedSession,
  currentId: string | undefined,
): SessionInfo {
  const text = stored === '' ? undefined : codec.decode(stored, ...clientPlace(id))
  const client = text === undefined ? {} : (JSON.parse(text) as { address?: string; agent?: string })
  return {
    id,
    createdAt: record.createdAt,
    lastSeenAt: record.lastSeenAt,
    authenticatedAt: record.authenticatedAt ?? record.createdAt,
    expiresAt: record.expiresAt,
    address: client.address,
    agent: client.agent,
    current: id === currentId,
  }
}
