import { conflictChannel } from '../channels.js'
import { InvalidSessionData, SessionConflict, SessionEnded } from '../errors.js'
import type { SessionConfig } from '../options.js'
import type { Change, SessionWrite, WriteOutcome, Writer } from '../store.js'
import type { SessionRef } from '../stores/token.js'
import { type DataChange, type Draft, NO_DRAFT, type StoredData } from './stored-data.js'

/** Which session is written to, and by whom. */
export interface WriteTarget extends Writer {
  readonly ref: SessionRef
  readonly userId: string | undefined
}

/** What of the options matters here. */
export type WriteConfig = Pick<SessionConfig, 'store' | 'codec' | 'schema' | 'conflict' | 'maxDataBytes'>

type Written = Extract<WriteOutcome, { outcome: 'written' }>

/**
 * Writes what a request changed, and what else there is to write, in one step.
 *
 * Where others have changed the same keys, the store joins both. It can do so neither with sealed values nor where a
 * schema has to see the outcome first: then it is done here, and tried again until nobody comes between. The writers
 * of one process take turns for that, so that each round brings one of them through.
 *
 * @throws {SessionEnded} nothing was written
 * @throws {SessionConflict} nothing was written
 * @throws {InvalidSessionData} nothing was written
 */
export function writeSession(
  config: WriteConfig,
  target: WriteTarget,
  data: StoredData | undefined,
  more: WhatElse = {},
): Promise<Written> {
  if (config.conflict !== 'merge' || mergesInStore(config)) return attempt(config, target, data, more)
  // What others of this process have stored before is joined in by then.
  const { draft: _, ...rest } = more
  return inTurn(target.ref.id, () => attempt(config, target, data, rest))
}

/** What is written beside the data. */
type WhatElse = Pick<SessionWrite, 'lifetime' | 'rotation'> & {
  /** Of the data, if it was made just now. */
  readonly draft?: Draft | undefined
}

async function attempt(
  config: WriteConfig,
  target: WriteTarget,
  data: StoredData | undefined,
  { lifetime, rotation, ...begun }: WhatElse,
): Promise<Written> {
  let draft = begun.draft ?? data?.draft()
  for (;;) {
    const { changes } = draft ?? NO_DRAFT
    if (changes.length > 0) refuseInvalid(config, data!, draft!)
    const written = await config.store.write(target.ref, target, {
      lifetime,
      rotation,
      changes: changes.map((change) => encoded(config, target.ref, change)),
      onConflict: config.conflict === 'last' ? 'overwrite' : mergesInStore(config) ? 'merge' : 'report',
      maxBytes: config.codec.isPlain ? config.maxDataBytes : 0,
    })
    if (written.outcome === 'ended') throw new SessionEnded()
    if (written.outcome === 'too-large') throw tooLarge(config, written.bytes)
    if (written.outcome === 'written') {
      const isMerged = config.conflict === 'merge'
      data?.saved(changes, written.revision, isMerged ? written.met : NOTHING)
      if (written.met.size > 0) report(target, isMerged ? 'merged' : 'overwrote', [...written.met.keys()])
      return written
    }
    const keys = [...written.current.keys()]
    report(target, config.conflict === 'fail' ? 'failed' : 'merged', keys)
    if (config.conflict === 'fail') throw new SessionConflict(keys)
    for (const [key, { revision, text }] of written.current) {
      const theirs = text === undefined ? undefined : config.codec.decode(text, target.ref.id, key)
      data!.rebase(key, { revision, text: theirs })
    }
    draft = data!.draft()
  }
}

/** @throws {InvalidSessionData} the data does not fit the schema, or is too large */
export function refuseInvalid(
  config: Pick<WriteConfig, 'maxDataBytes'>,
  data: StoredData,
  { entries }: Pick<Draft, 'entries'>,
): void {
  data.check()
  let bytes = 0
  for (const [key, text] of entries) bytes += Buffer.byteLength(key) + Buffer.byteLength(text)
  if (bytes > config.maxDataBytes) throw tooLarge(config, bytes)
}

function tooLarge({ maxDataBytes }: Pick<WriteConfig, 'maxDataBytes'>, bytes: number): InvalidSessionData {
  return new InvalidSessionData(`it has ${bytes} bytes, and \`maxDataBytes\` is ${maxDataBytes}`)
}

function mergesInStore({ conflict, codec, schema }: WriteConfig): boolean {
  return conflict === 'merge' && codec.isPlain && schema === undefined
}

const NOTHING: ReadonlyMap<string, undefined> = new Map()

/** By session, the last of the writers of this process that take turns. */
const turns = new Map<string, Promise<unknown>>()

async function inTurn<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
  const before = turns.get(id)
  const done = before === undefined ? work() : before.then(work, work)
  turns.set(id, done)
  try {
    return await done
  } finally {
    if (turns.get(id) === done) turns.delete(id)
  }
}

function encoded({ codec }: WriteConfig, { id }: SessionRef, change: DataChange): Change {
  const { key, revision, text, base } = change
  // What cannot be joined member by member needs no base.
  const isObject = codec.isPlain && text?.startsWith('{') === true
  return {
    key,
    revision,
    text: text === undefined ? undefined : codec.encode(text, id, key),
    base: isObject ? base : undefined,
  }
}

function report(
  { ref, userId }: WriteTarget,
  outcome: 'merged' | 'failed' | 'overwrote',
  keys: readonly string[],
): void {
  if (conflictChannel.hasSubscribers) conflictChannel.publish({ id: ref.id, userId, outcome, keys })
}
