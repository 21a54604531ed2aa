import type { IncomingHttpHeaders } from 'node:http'
import { type RefusalReason, refusedChannel } from './channels.js'
import { reportFailure } from './failures.js'
import { takeOver } from './migrating.js'
import type { OldSessionKey, SessionMigration } from './migration.js'
import type { SessionConfig } from './options.js'
import { type LoadedSession, refusalOf } from './record.js'
import { digestOf, isToken, refOf, type SessionRef } from './token.js'
import type { Transport } from './transport.js'

/** A token that a request carries. */
export interface Presented {
  readonly token: string
  readonly via: Transport
}

/** What became of a request's token. */
export type Opening =
  /** There was none. */
  | { readonly kind: 'none' }
  /** It opens nothing. */
  | { readonly kind: 'refused' }
  /** The store gave no answer. */
  | { readonly kind: 'failed'; readonly error: unknown }
  | {
      readonly kind: 'opened'
      readonly presented: Presented
      readonly ref: SessionRef
      readonly digest: string
      readonly loaded: LoadedSession
      /** The client does not have the token yet. */
      readonly isMigrated?: boolean
    }

const NONE: Opening = Object.freeze({ kind: 'none' })
const REFUSED: Opening = Object.freeze({ kind: 'refused' })

/**
 * Finds the session of a request. Never throws or rejects: what failed is part of the answer. Answers in the same
 * tick where the store is not asked, or answers at once.
 */
export function open(config: SessionConfig, headers: IncomingHttpHeaders): Opening | Promise<Opening> {
  const presented = presentedBy(config.transports, headers)
  if (typeof presented === 'string') {
    const old = config.migration?.find(headers)
    if (old !== undefined) return openOld(config, config.migration!, old)
    return presented === 'none' ? NONE : refused('malformed')
  }
  return openToken(config, presented)
}

/** The same for a token of the right shape. */
export function openToken(config: SessionConfig, presented: Presented): Opening | Promise<Opening> {
  const ref = refOf(presented.token)
  try {
    const loading = config.store.load(ref)
    return loading instanceof Promise
      ? loading.then((loaded) => judge(presented, ref, loaded), failed)
      : judge(presented, ref, loading)
  } catch (error) {
    return failed(error)
  }
}

/** Opens a session of another package, which becomes one of ours on the way. */
async function openOld(
  config: SessionConfig,
  migration: SessionMigration,
  key: OldSessionKey,
): Promise<Opening> {
  try {
    const token = await takeOver(config, migration, key)
    if (token === undefined) return refused('unknown')
    const via = config.transports.find(({ issue }) => issue !== undefined)!
    const opening = await openToken(config, { token, via })
    return opening.kind === 'opened' ? { ...opening, isMigrated: true } : opening
  } catch (error) {
    return failed(error)
  }
}

/** The first text that can be a token counts; what cannot, costs the store nothing. */
function presentedBy(
  transports: readonly Transport[],
  headers: IncomingHttpHeaders,
): Presented | 'none' | 'malformed' {
  let seen: 'none' | 'malformed' = 'none'
  for (const via of transports) {
    for (const token of via.read(headers)) {
      if (isToken(token)) return { token, via }
      seen = 'malformed'
    }
  }
  return seen
}

function judge(presented: Presented, ref: SessionRef, loaded: LoadedSession | undefined): Opening {
  if (loaded === undefined) return refused('unknown', ref.id)
  const digest = digestOf(presented.token)
  const reason = refusalOf(loaded, digest)
  return reason === undefined ? { kind: 'opened', presented, ref, digest, loaded } : refused(reason, ref.id)
}

function refused(reason: RefusalReason, id?: string): Opening {
  if (refusedChannel.hasSubscribers) refusedChannel.publish({ reason, id })
  return REFUSED
}

function failed(error: unknown): Opening {
  reportFailure('load', error)
  return { kind: 'failed', error }
}
