import { conflictChannel } from './channels.js'
import type { DataChange, SessionData } from './data.js'
import { InvalidSessionData, SessionConflict, SessionEnded } from './errors.js'
import type { SessionConfig } from './options.js'
import type { Change } from './store.js'
import type { SessionRef } from './token.js'

/** Which session is written to, and by the right of which token. */
export interface SaveTarget {
  readonly ref: SessionRef
  readonly digest: string
  readonly userId: string | undefined
  /** The session's idle timeout from now on. Default: as it was */
  readonly idleTimeoutMs?: number
}

/** What of the options matters here. */
export type SaveConfig = Pick<SessionConfig, 'store' | 'codec' | 'conflict' | 'maxDataBytes'>

/** Rounds of merging after which a save gives up: in each, some other request has got through. */
const MAX_ROUNDS = 32

/**
 * Writes what a request changed.
 *
 * @returns true if there was anything to write
 * @throws {SessionEnded} nothing was written
 * @throws {SessionConflict} nothing was written
 * @throws {InvalidSessionData} nothing was written
 */
export async function saveChanges(
  config: SaveConfig,
  target: SaveTarget,
  data: SessionData,
): Promise<boolean> {
  let changes = data.changes()
  if (changes.length === 0) return false
  data.check()
  refuseTooLarge(config, data.entries())
  const onConflict = config.conflict === 'last' ? 'overwrite' : 'report'
  for (let round = 1; changes.length > 0; round++) {
    const encoded = changes.map((change) => encode(config, target.ref, change))
    const saved = await config.store.save(
      target.ref,
      target.digest,
      encoded,
      onConflict,
      target.idleTimeoutMs,
    )
    if (saved.outcome === 'ended') throw new SessionEnded()
    if (saved.outcome === 'saved') {
      data.saved(changes, saved.revision)
      if (saved.overwritten.length > 0) report(target, 'overwrote', saved.overwritten)
      return true
    }
    const keys = [...saved.current.keys()]
    if (config.conflict === 'fail' || round === MAX_ROUNDS) {
      report(target, 'failed', keys)
      throw new SessionConflict(keys)
    }
    for (const [key, { revision, text }] of saved.current) {
      const theirs = text === undefined ? undefined : config.codec.decode(text, target.ref.id, key)
      data.rebase(key, { revision, text: theirs })
    }
    report(target, 'merged', keys)
    changes = data.changes()
  }
  return true
}

/** @throws {InvalidSessionData} */
export function refuseTooLarge(
  config: Pick<SessionConfig, 'maxDataBytes'>,
  entries: readonly (readonly [string, string])[],
): void {
  const bytes = entries.reduce(
    (sum, [key, text]) => sum + Buffer.byteLength(key) + Buffer.byteLength(text),
    0,
  )
  if (bytes <= config.maxDataBytes) return
  throw new InvalidSessionData(`it has ${bytes} bytes, and \`maxDataBytes\` is ${config.maxDataBytes}`)
}

function encode({ codec }: SaveConfig, { id }: SessionRef, { key, revision, text }: DataChange): Change {
  return { key, revision, text: text === undefined ? undefined : codec.encode(text, id, key) }
}

function report(
  { ref, userId }: SaveTarget,
  outcome: 'merged' | 'failed' | 'overwrote',
  keys: readonly string[],
): void {
  if (conflictChannel.hasSubscribers) conflictChannel.publish({ id: ref.id, userId, outcome, keys })
}
