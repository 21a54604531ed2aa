import type { IncomingMessage } from 'node:http'
import { clientAddress } from '@scale/core'
import { createdChannel, revokedChannel } from './channels.js'
import type { SessionData } from './data.js'
import { SessionMisuse, TooManySessions } from './errors.js'
import type { HeldSession } from './held-session.js'
import { type SessionConfig, timeoutMs } from './options.js'
import { refuseTooLarge } from './saving.js'
import type { LoginOptions } from './session.js'
import { digestOf, type SessionRef } from './token.js'

/** A session that is to be stored for the first time. */
export interface WantedSession {
  readonly ref: SessionRef
  readonly token: string
  readonly userId: string | undefined
  readonly options: LoginOptions
}

/**
 * Stores a session with the data of this request.
 *
 * @param req  whose address and agent go into the user's list, if there is one
 * @throws {TooManySessions} nothing was stored
 * @throws {InvalidSessionData} nothing was stored
 */
export async function createSession(
  config: SessionConfig,
  req: IncomingMessage | undefined,
  data: SessionData,
  { ref, token, userId, options }: WantedSession,
): Promise<HeldSession> {
  const { store, codec, maxPerUser } = config
  const timeouts = timeoutsOf(config, options)
  data.check()
  const entries = data.entries()
  refuseTooLarge(config, entries)
  const digest = digestOf(token)
  const created = await store.create(ref, {
    digest,
    userId,
    client: userId === undefined ? '' : clientInfo(config, ref, req),
    ...timeouts,
    data: entries.map(([key, text]) => [key, codec.encode(text, ref.id, key)]),
    maxPerUser,
  })
  if (created.outcome === 'full') throw new TooManySessions(maxPerUser!.quota)
  if (created.outcome === 'exists') throw new SessionMisuse('The id of the new session is taken.')
  const { nowMs, evicted } = created
  if (evicted > 0 && revokedChannel.hasSubscribers) {
    revokedChannel.publish({ userId: userId!, by: 'quota', count: evicted })
  }
  data.created(entries)
  return {
    ref,
    token,
    digest,
    userId,
    createdAt: nowMs,
    lastSeenAt: nowMs,
    authenticatedAt: userId === undefined ? undefined : nowMs,
    expiresAt: nowMs + timeouts.absoluteTimeoutMs,
    idleTimeoutMs: timeouts.idleTimeoutMs,
    touchIsDue: false,
  }
}

export function publishCreated({ ref, userId }: HeldSession, by: 'login' | 'data'): void {
  if (createdChannel.hasSubscribers) createdChannel.publish({ id: ref.id, userId, by })
}

function timeoutsOf(
  config: SessionConfig,
  options: LoginOptions,
): { idleTimeoutMs: number; absoluteTimeoutMs: number } {
  const { absoluteTimeoutMs = config.absoluteTimeoutMs } = options
  const { idleTimeoutMs = Math.min(config.idleTimeoutMs, absoluteTimeoutMs) } = options
  for (const [name, value] of Object.entries({ idleTimeoutMs, absoluteTimeoutMs })) {
    const wanted = timeoutMs(value)
    if (wanted !== undefined) throw new SessionMisuse(`login: \`${name}\` must be ${wanted}.`)
  }
  return { idleTimeoutMs, absoluteTimeoutMs }
}

/** What address and agent are bound to when they are sealed: nothing that a key of the data could be. */
export function clientPlace(sessionId: string): [sessionId: string, field: string] {
  return [`${sessionId} client`, '']
}

/** Address and agent for the user's list of sessions. */
function clientInfo(config: SessionConfig, { id }: SessionRef, req: IncomingMessage | undefined): string {
  if (!config.clientInfo || req === undefined) return ''
  const info = { address: clientAddress(req)?.address, agent: req.headers['user-agent']?.slice(0, 256) }
  return config.codec.encode(JSON.stringify(info), ...clientPlace(id))
}
