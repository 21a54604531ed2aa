import { createHmac } from 'node:crypto'
import { createdChannel } from './channels.js'
import type { OldSessionKey, SessionMigration } from './migration.js'
import type { SessionConfig } from './options.js'
import { digestOf, type SessionRef, userTag } from './token.js'

/**
 * Makes one of our sessions of an old one. The new token is derived from the old id and the secret that signed it,
 * so that all requests that come with the old cookie at once are given the same.
 *
 * Of several that read the old session, one creates the new one, and only that one marks the old one as gone. If it
 * finds it gone already, the session was taken over and ended meanwhile: it stays so.
 *
 * @returns its token; `undefined` if there is nothing to take over
 */
export async function takeOver(
  config: SessionConfig,
  migration: SessionMigration,
  key: OldSessionKey,
): Promise<string | undefined> {
  const old = await migration.read(key)
  if (old === undefined) return undefined
  if ('movedTo' in old) return tokenOf(key, old.movedTo)
  const tag = old.userId === undefined ? derived(key, 'tag').slice(0, 20) : userTag(old.userId)
  const ref = { tag, id: derived(key, 'id').slice(0, 16) }
  const token = tokenOf(key, ref.tag + ref.id)
  const created = await config.store.create(ref, {
    digest: digestOf(token),
    userId: old.userId,
    client: '',
    idleTimeoutMs: config.idleTimeoutMs,
    absoluteTimeoutMs: config.absoluteTimeoutMs,
    data: encoded(config, ref, old.data),
    maxPerUser: config.maxPerUser,
  })
  if (created.outcome === 'full') return undefined
  if (created.outcome === 'created') {
    if (!(await migration.moved(key, ref.tag + ref.id, config.renewGraceMs))) await config.store.end(ref)
    else if (createdChannel.hasSubscribers) {
      createdChannel.publish({ id: ref.id, userId: old.userId, by: 'migration' })
    }
  }
  return token
}

function encoded(
  { codec }: SessionConfig,
  { id }: SessionRef,
  data: Record<string, unknown>,
): [key: string, text: string][] {
  return Object.entries(data).map(([name, value]) => [name, codec.encode(JSON.stringify(value), id, name)])
}

function tokenOf(key: OldSessionKey, place: string): string {
  return place + derived(key, 'secret')
}

function derived({ sid, secret }: OldSessionKey, what: string): string {
  return createHmac('sha256', secret).update(`@scale/session ${what} ${sid}`).digest('base64url')
}
