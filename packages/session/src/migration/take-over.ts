import { createHmac } from 'node:crypto'
import { createdChannel } from '../channels.js'
import type { SessionConfig } from '../options.js'
import type { Opened, Opening } from '../request/opening.js'
import type { LoadedSession, StoredValue } from '../stores/record.js'
import { digestOf, markedRef, refOf, type SessionRef, userTag } from '../stores/token.js'
import type { OldSession, OldSessionKey } from './connect-redis.js'

type Old = Extract<Opening, { kind: 'old' }>
type Kept = Exclude<OldSession, { movedTo: string }>

/**
 * Makes one of our sessions of an old one. The new token is derived from the old id and the secret that signed it,
 * so that all requests that come with the old cookie are given the same, until the session ends.
 *
 * Nobody is given the token before the old session is marked as gone; whoever finds the new one there already marks the
 * old one once more, for the one who made it may have failed in between. Who has made it and finds the old one gone
 * already comes too late: it was taken over and ended meanwhile, and stays so.
 *
 * @returns its token; `undefined` if there is nothing to take over
 * @throws the store's error: nothing is known to have happened, and the old cookie is as good as before
 */
export async function takeOver(config: SessionConfig, { key, old }: Old): Promise<string | undefined> {
  if ('movedTo' in old) return tokenOf(key, old.movedTo)
  const { store, migration, idleTimeoutMs, absoluteTimeoutMs, maxPerUser } = config
  const ref = placeOf(key, old, await config.marks.key())
  const token = tokenOf(key, ref.tag + ref.id)
  const created = await store.create(ref, {
    digest: digestOf(token),
    userId: old.userId,
    client: '',
    idleTimeoutMs,
    absoluteTimeoutMs,
    data: dataOf(config, ref, old),
    maxPerUser,
    persistent: undefined,
  })
  if (created.outcome === 'full') return undefined
  const isMoved = await migration!.moved(key, ref.tag + ref.id, absoluteTimeoutMs)
  if (created.outcome === 'exists') return token
  if (!isMoved) {
    await store.end(ref)
    return undefined
  }
  if (createdChannel.hasSubscribers) {
    createdChannel.publish({ id: ref.id, userId: old.userId, by: 'migration' })
  }
  return token
}

/** An old session as it is, where no cookie can be sent: it can be read, and every write finds it ended. */
export function lookedAt(config: SessionConfig, { key }: Old, old: Kept): Opened {
  const ref = placeOf(key, old, undefined)
  const token = tokenOf(key, ref.tag + ref.id)
  const digest = digestOf(token)
  const nowMs = Date.now()
  const { idleTimeoutMs, absoluteTimeoutMs } = config
  const data = dataOf(config, ref, old).map(([name, text]): [string, StoredValue] => [
    name,
    { revision: 1, text },
  ])
  const loaded: LoadedSession = {
    nowMs,
    listed: true,
    record: {
      digest,
      previous: undefined,
      createdAt: nowMs,
      lastSeenAt: nowMs,
      issuedAt: nowMs,
      idleTimeoutMs,
      expiresAt: nowMs + absoluteTimeoutMs,
      userId: old.userId,
      authenticatedAt: undefined,
      persistent: undefined,
      revision: 1,
      data: new Map(data),
    },
  }
  return { kind: 'opened', token, via: { read: () => [] }, ref: refOf(token), digest, loaded }
}

/** The token of one that was taken over. */
export function tokenOf(key: OldSessionKey, place: string): string {
  return place + derived(key, 'secret')
}

function placeOf(key: OldSessionKey, { userId }: Kept, mark: string | undefined): SessionRef {
  return markedRef(
    userId === undefined ? derived(key, 'tag').slice(0, 20) : userTag(userId),
    derived(key, 'id'),
    mark,
  )
}

function dataOf({ codec }: SessionConfig, { id }: SessionRef, { data }: Kept): [key: string, text: string][] {
  return Object.entries(data).map(([name, value]) => [name, codec.encode(JSON.stringify(value), id, name)])
}

function derived({ sid, secret }: OldSessionKey, what: string): string {
  return createHmac('sha256', secret).update(`@scale/session ${what} ${sid}`).digest('base64url')
}
