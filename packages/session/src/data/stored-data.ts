import type { Schema, SchemaResult } from '@scale/core'
import { InvalidSessionData } from '../errors.js'
import type { StoredValue } from '../stores/record.js'
import type { Codec } from './codec.js'
import { merge, setOwn } from './merge.js'
import { keysOf } from './schema-keys.js'

/** A top-level key as last known to the store, in plain JSON. */
export interface KnownValue {
  /** 0 if the store has none: the value is the schema's default. */
  readonly revision: number
  readonly text: string
}

/** A top-level key that this request changed, in plain JSON. */
export interface DataChange {
  readonly key: string
  /** 0 if the store had no such key. */
  readonly revision: number
  /** `undefined` if it was removed. */
  readonly text: string | undefined
  /** What this request saw; `undefined` if nothing. */
  readonly base: string | undefined
}

/** The data as it is at one moment, and what of it this request changed. */
export interface Draft {
  readonly entries: readonly (readonly [key: string, text: string])[]
  readonly changes: readonly DataChange[]
}

/** Of data that nobody has looked at. */
export const NO_DRAFT: Draft = Object.freeze({ entries: [], changes: [] })

/** How stored data becomes `req.session.data`. */
export interface DataFormat {
  readonly codec: Codec
  readonly schema: Schema<object> | undefined
  /** Told of keys that could not be used, and were left out. */
  readonly onUnreadable: (reason: 'encryption' | 'json' | 'schema', keys: readonly string[]) => void
}

/**
 * The data of one session in one request. It is decoded when it is first asked for, and compared with what the store
 * had, key by key, when it is to be saved: so only what this request changed is written, at whatever depth.
 */
export class StoredData {
  readonly #format: DataFormat
  readonly #sessionId: string
  readonly #stored: ReadonlyMap<string, StoredValue>
  #known = new Map<string, KnownValue>()
  /** Keys that the store has and that were left out here. */
  #unreadable = new Set<string>()
  #value: Record<string, unknown> | undefined

  /** @param stored  as the store has it; nothing for a new session */
  constructor(format: DataFormat, sessionId = '', stored: ReadonlyMap<string, StoredValue> = new Map()) {
    this.#format = format
    this.#sessionId = sessionId
    this.#stored = stored
  }

  get value(): Record<string, unknown> {
    this.#value ??= this.#decode()
    return this.#value
  }

  set value(value: Record<string, unknown>) {
    this.#value ??= this.#decode()
    this.#value = value
  }

  /** Empty if nobody has looked. @throws {InvalidSessionData} a value has no JSON */
  draft(): Draft {
    if (this.#value === undefined) return NO_DRAFT
    const changes: DataChange[] = []
    const entries = entriesOf(this.#value)
    let left = this.#known.size
    for (const [key, text] of entries) {
      const known = this.#known.get(key)
      if (known !== undefined) left--
      if (known?.text !== text)
        changes.push({ key, revision: this.#revisionOf(key), text, base: known?.text })
    }
    if (left === 0) return { entries, changes }
    const kept = new Set(entries.map(([key]) => key))
    for (const [key, { revision, text }] of this.#known) {
      if (!kept.has(key)) changes.push({ key, revision, text: undefined, base: text })
    }
    return { entries, changes }
  }

  /**
   * The store has taken changes.
   *
   * @param met  keys that others had changed meanwhile, and what came of it: that is joined in here
   */
  saved(
    changes: readonly DataChange[],
    revision: number,
    met: ReadonlyMap<string, string | undefined>,
  ): void {
    for (const { key, text: sent } of changes) {
      this.#unreadable.delete(key)
      const text = met.has(key) ? met.get(key) : sent
      if (met.has(key)) this.merge(key, sent, text)
      if (text === undefined) this.#known.delete(key)
      else this.#known.set(key, { revision, text })
    }
  }

  /** Another request was first: joins what the store has of a key now. */
  rebase(key: string, theirs: { revision: number; text: string | undefined }): void {
    this.merge(key, this.#known.get(key)?.text, theirs.text)
    if (theirs.text === undefined) this.#known.delete(key)
    else this.#known.set(key, { revision: theirs.revision, text: theirs.text })
  }

  /** What is known of every key of the store. */
  seen(): ReadonlyMap<string, KnownValue> {
    this.#value ??= this.#decode()
    return new Map(this.#known)
  }

  /** All of it was stored anew, in another place. */
  created(entries: readonly (readonly [key: string, text: string])[]): void {
    this.#unreadable.clear()
    this.#known = new Map(entries.map(([key, text]) => [key, { revision: 1, text }]))
  }

  /** Joins what another request has made of a key, since it was `base`, into the value here. */
  merge(key: string, base: string | undefined, theirs: string | undefined): void {
    const ours = Object.hasOwn(this.value, key) ? this.value[key] : undefined
    const merged = merge(parsed(base), ours, parsed(theirs))
    if (merged === undefined) delete this.value[key]
    else setOwn(this.value, key, merged)
  }

  /** @throws {InvalidSessionData} the data does not fit the schema */
  check(): void {
    if (this.#format.schema === undefined) return
    const { issues } = validated(this.#format.schema, this.value)
    if (issues === undefined) return
    const keys = keysOf(issues)
    throw new InvalidSessionData(`it does not fit the schema (${keys.join(', ') || 'as a whole'})`, { keys })
  }

  #decode(): Record<string, unknown> {
    this.#known = new Map()
    const value: Record<string, unknown> = {}
    for (const [key, { revision, text: stored }] of this.#stored) {
      const text = this.#format.codec.decode(stored, this.#sessionId, key)
      if (text === undefined) {
        this.#leaveOut('encryption', [key])
        continue
      }
      try {
        setOwn(value, key, JSON.parse(text))
        this.#known.set(key, { revision, text })
      } catch {
        this.#leaveOut('json', [key])
      }
    }
    return this.#format.schema === undefined ? value : this.#conformed(this.#format.schema, value)
  }

  /**
   * What the schema makes of stored data. Changes count from there, so that a default is no change, and a key that
   * the schema drops stays as it is in the store. Keys that do not fit any more are left out.
   */
  #conformed(schema: Schema<object>, stored: Record<string, unknown>): Record<string, unknown> {
    let result = validated(schema, stored)
    if (result.issues !== undefined) {
      const keys = keysOf(result.issues)
      const rest = Object.fromEntries(Object.entries(stored).filter(([key]) => !keys.includes(key)))
      result = validated(schema, rest)
      this.#leaveOut('schema', result.issues === undefined ? keys : Object.keys(stored))
    }
    if (result.issues !== undefined) result = validated(schema, {})
    if (result.issues !== undefined) throw new InvalidSessionData('the schema does not accept `{}`')
    const value = result.value as Record<string, unknown>
    this.#known = new Map(
      entriesOf(value).map(([key, text]) => [key, { revision: this.#revisionOf(key), text }]),
    )
    return value
  }

  #leaveOut(reason: 'encryption' | 'json' | 'schema', keys: readonly string[]): void {
    for (const key of keys) this.#unreadable.add(key)
    this.#format.onUnreadable(reason, keys)
  }

  #revisionOf(key: string): number {
    const left = this.#unreadable.has(key) ? this.#stored.get(key)?.revision : undefined
    return this.#known.get(key)?.revision ?? left ?? 0
  }
}

function entriesOf(value: Record<string, unknown>): [key: string, text: string][] {
  const entries: [string, string][] = []
  for (const key of Object.keys(value)) {
    const text = toJson(key, value[key])
    if (text !== undefined) entries.push([key, text])
  }
  return entries
}

/** `undefined` for what JSON leaves out: `undefined`, functions, symbols. */
function toJson(key: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(value) as string | undefined
  } catch (cause) {
    throw new InvalidSessionData(`\`${key.slice(0, 64)}\` is not JSON`, { keys: [key], cause })
  }
}

function validated(schema: Schema<object>, value: unknown): SchemaResult<object> {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) throw new InvalidSessionData('the schema answers with a promise')
  return result
}

function parsed(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text)
}
