import assert from 'node:assert/strict'
import type {
  Change,
  NewSession,
  Rotation,
  SessionStore,
  SessionWrite,
  TokenUse,
  WriteOutcome,
} from '../store.js'
import { type LoadedSession, refusalOf, type SessionRecord } from '../stores/record.js'
import { digestOf, newNonce, newRef, newToken, type SessionRef, successorOf } from '../stores/token.js'

/** What the clauses of the contract are made of. */
export interface Clauses {
  describe(name: string, body: () => void): void
  /** Begins at `START`. */
  it(name: string, body: (store: SessionStore) => Promise<void>): void
  /** Sets the clock: so many ms after `START`. */
  at(ms: number): void
}

/** Epoch ms. */
export const START = 1_800_000_000_000
/** Idle timeout of the sessions here, in ms. */
export const IDLE = 60_000
/** Absolute timeout of the sessions here, in ms. */
export const ABSOLUTE = 600_000

/** A session that is stored, and who comes with its first token. */
export class Subject {
  readonly #store: SessionStore
  readonly ref: SessionRef
  readonly token: string
  readonly digest: string

  constructor(store: SessionStore, ref: SessionRef, token: string, digest: string = digestOf(token)) {
    this.#store = store
    this.ref = ref
    this.token = token
    this.digest = digest
  }

  /** The same session, for who comes with another token. */
  by(digest: string): Subject {
    return new Subject(this.#store, this.ref, this.token, digest)
  }

  save(
    changes: readonly Change[],
    onConflict: SessionWrite['onConflict'] = 'report',
    more: Partial<SessionWrite> = {},
  ): Promise<WriteOutcome> {
    return this.#store.write(this.ref, { digest: this.digest }, { changes, onConflict, ...more })
  }

  rotate(rotation: Rotation): Promise<WriteOutcome> {
    return this.save([], 'report', { rotation })
  }

  async load(use?: TokenUse): Promise<LoadedSession | undefined> {
    const found = await this.#store.load(this.ref, use)
    return found === 'ended' ? undefined : found
  }

  async record(): Promise<SessionRecord> {
    return (await this.load())!.record
  }

  /** The text of a top-level key. */
  async text(key: string): Promise<string | undefined> {
    return (await this.record()).data.get(key)?.text
  }

  /** Why a token does not open it. */
  async refusal(
    digest: string = this.digest,
    { openedWhen, use }: { openedWhen?: number; use?: TokenUse } = {},
  ): Promise<string | undefined> {
    return refusalOf((await this.load(use))!, digest, openedWhen)
  }

  async isOpen(): Promise<boolean> {
    const found = await this.load()
    return found !== undefined && refusalOf(found, this.digest) === undefined
  }
}

export async function made(store: SessionStore, part: Partial<NewSession> = {}): Promise<Subject> {
  const ref = newRef(part.userId)
  const token = newToken(ref)
  const created = await store.create(ref, newSession(token, part))
  assert.equal(created.outcome, 'created')
  return new Subject(store, ref, token)
}

export function newSession(token: string, part: Partial<NewSession>): NewSession {
  return {
    digest: digestOf(token),
    userId: undefined,
    client: '',
    idleTimeoutMs: IDLE,
    absoluteTimeoutMs: ABSOLUTE,
    data: [],
    maxPerUser: undefined,
    persistent: undefined,
    ...part,
  }
}

/** The successor of a token, and how a store is told of it. */
export function rotationOf(token: string, elevate = false): { next: string; rotation: Rotation } {
  const nonce = newNonce()
  const next = successorOf(token, nonce)
  return { next, rotation: { digest: digestOf(next), nonce, elevate } }
}

/** A change of one key; without a text it removes it. */
export function set(key: string, revision: number, text?: string): Change {
  return { key, revision, text }
}

let count = 0

/** A user id that no other test has. */
export function unique(): string {
  count++
  return `user-${process.pid}-${performance.timeOrigin}-${count}`
}
