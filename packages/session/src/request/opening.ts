import type { IncomingHttpHeaders } from 'node:http'
import { openedChannel, type RefusalReason, refusedChannel, revokedChannel } from '../channels.js'
import type { OldSession, OldSessionKey } from '../migration/connect-redis.js'
import type { SessionConfig } from '../options.js'
import type { Loading } from '../store.js'
import { type LoadedSession, refusalOf } from '../stores/record.js'
import { digestOf, isToken, refOf, type SessionRef } from '../stores/token.js'
import type { Transport } from '../transports/transport.js'
import { reportFailure } from './failures.js'
import { sharedPlace } from './places.js'

/** A token that opened a session. */
export interface Opened {
  readonly kind: 'opened'
  readonly token: string
  readonly via: Transport
  readonly ref: SessionRef
  readonly digest: string
  readonly loaded: LoadedSession
  /** The client does not have the token yet. */
  readonly isMigrated?: boolean
}

/** What became of a request's tokens. */
export type Opening =
  /** There was none. */
  | { readonly kind: 'none' }
  /** None opens anything. `isDead`: nor will any, so that the client need not keep what came via these. */
  | { readonly kind: 'refused'; readonly isDead: boolean; readonly via: readonly Transport[] }
  /** The store gave no answer. */
  | { readonly kind: 'failed'; readonly error: unknown }
  | Opened
  /** There is a session of another package. */
  | { readonly kind: 'old'; readonly key: OldSessionKey; readonly old: OldSession }

interface Candidate {
  readonly token: string
  readonly via: Transport
}

const NONE: Opening = Object.freeze({ kind: 'none' })

/** Of more tokens than this in one request, the rest is not tried. */
const MOST_TRIED = 4

/**
 * Finds the session of a request: the first of its tokens that opens one. Never throws or rejects: what failed is part
 * of the answer. Answers in the same tick where the store is not asked, or answers at once.
 */
export function open(config: SessionConfig, headers: IncomingHttpHeaders): Opening | Promise<Opening> {
  if (!openedChannel.hasSubscribers) return find(config, headers)
  const startedAt = performance.now()
  const found = find(config, headers)
  if (!(found instanceof Promise)) return reported(found, startedAt)
  return found.then((opening) => reported(opening, startedAt))
}

function reported(opening: Opening, startedAt: number): Opening {
  const { kind } = opening
  if (kind !== 'none') {
    const outcome = kind === 'old' ? 'opened' : kind
    openedChannel.publish({ outcome, durationMs: performance.now() - startedAt })
  }
  return opening
}

function find(config: SessionConfig, headers: IncomingHttpHeaders): Opening | Promise<Opening> {
  const key = config.shared && config.migration!.find(headers)
  return key === undefined ? openOwn(config, headers) : openShared(config, headers, key)
}

/** A session that stays where another package keeps it; otherwise one of ours. */
async function openShared(
  config: SessionConfig,
  headers: IncomingHttpHeaders,
  { sid }: OldSessionKey,
): Promise<Opening> {
  const { store, transports } = config.shared!
  const { ref, token } = sharedPlace(sid)
  try {
    const loaded = await store.load(ref)
    if (typeof loaded !== 'object') return openOwn(config, headers)
    return { kind: 'opened', token, via: transports[0]!, ref, digest: digestOf(token), loaded }
  } catch (error) {
    return failed(error)
  }
}

function openOwn(config: SessionConfig, headers: IncomingHttpHeaders): Opening | Promise<Opening> {
  const candidates: Candidate[] = []
  const malformed: Transport[] = []
  for (const via of config.transports) {
    for (const token of via.read(headers)) {
      if (!isToken(token)) malformed.push(via)
      else if (candidates.length < MOST_TRIED && candidates.every((other) => other.token !== token)) {
        candidates.push({ token, via })
      }
    }
  }
  if (candidates.length === 0 && malformed.length > 0) refused('malformed', undefined, malformed[0]!)
  const outcome: Opening = malformed.length === 0 ? NONE : { kind: 'refused', isDead: true, via: malformed }
  return openFrom(config, headers, candidates, 0, outcome)
}

/** The candidates from one on; `outcome` is what the ones before have come to. */
function openFrom(
  config: SessionConfig,
  headers: IncomingHttpHeaders,
  candidates: readonly Candidate[],
  from: number,
  outcome: Opening,
): Opening | Promise<Opening> {
  const candidate = candidates[from]
  if (candidate === undefined) return openOld(config, headers, outcome)
  const goOn = (opening: Opening): Opening | Promise<Opening> => {
    if (opening.kind !== 'refused') return opening
    const before = outcome.kind === 'refused' ? outcome : opening
    const both: Opening = {
      kind: 'refused',
      isDead: opening.isDead && before.isDead,
      via: [...new Set([...opening.via, ...before.via])],
    }
    return openFrom(config, headers, candidates, from + 1, both)
  }
  const opening = openToken(config, candidate)
  return opening instanceof Promise ? opening.then(goOn) : goOn(opening)
}

/**
 * One token of the right shape.
 *
 * @param overlapMs  how long a token that this one replaces opens the session from now on; `null` only looks
 */
export function openToken(
  config: SessionConfig,
  { token, via }: Candidate,
  overlapMs: number | null = config.renewGraceMs,
): Opening | Promise<Opening> {
  const ref = refOf(token)
  const refuse = (reason: RefusalReason, id?: string): Opening => refused(reason, id, via)
  const admission = config.marks.admit(ref)
  if (admission === 'no') return refuse('forged')
  const digest = digestOf(token)
  const judge = (loaded: Loading): Opening | Promise<Opening> => {
    if (loaded !== undefined && admission === 'perhaps') config.marks.found()
    if (loaded === undefined || loaded === 'ended') return refuse(loaded ?? 'unknown', ref.id)
    const reason = refusalOf(loaded, digest)
    if (reason === undefined) return { kind: 'opened', token, via, ref, digest, loaded }
    const refusal = refuse(reason, ref.id)
    const isTheft = reason === 'renewed' && config.onTokenReuse === 'revoke'
    return isTheft ? revoke(config, ref, loaded, refusal) : refusal
  }
  try {
    const loading = config.store.load(ref, overlapMs === null ? undefined : { digest, overlapMs })
    return loading instanceof Promise ? loading.then(judge).catch(failed) : judge(loading)
  } catch (error) {
    return failed(error)
  }
}

/** A session of another package, if the request proves to have one. It is only read here. */
async function readOld(config: SessionConfig, key: OldSessionKey, outcome: Opening): Promise<Opening> {
  try {
    const old = await config.migration!.read(key)
    if (old === undefined) return outcome
    // One that is shared is not taken over: there was none just now, so it began a moment ago, or it ends.
    return config.shared === undefined || 'movedTo' in old ? { kind: 'old', key, old } : outcome
  } catch (error) {
    return failed(error)
  }
}

function openOld(
  config: SessionConfig,
  headers: IncomingHttpHeaders,
  outcome: Opening,
): Opening | Promise<Opening> {
  const key = config.migration?.find(headers)
  return key === undefined ? outcome : readOld(config, key, outcome)
}

/** The old token after its successor was used: two have it, and one of them may be a thief. */
async function revoke(
  { store }: SessionConfig,
  ref: SessionRef,
  { record }: LoadedSession,
  refusal: Opening,
): Promise<Opening> {
  const ended = await store.end(ref)
  if (ended !== undefined && record.userId !== undefined && revokedChannel.hasSubscribers) {
    revokedChannel.publish({ userId: record.userId, by: 'reuse', count: 1 })
  }
  return refusal
}

/** Reasons for which a token is dead in whatever order requests and answers arrive. */
const DEAD: ReadonlySet<RefusalReason> = new Set(['malformed', 'unknown', 'idle', 'absolute', 'forged'])

function refused(reason: RefusalReason, id: string | undefined, via: Transport): Opening {
  if (refusedChannel.hasSubscribers) refusedChannel.publish({ reason, id })
  return { kind: 'refused', isDead: DEAD.has(reason), via: [via] }
}

function failed(error: unknown): Opening {
  reportFailure('load', error)
  return { kind: 'failed', error }
}
