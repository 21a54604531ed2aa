import type { State } from '../algorithms/algorithm.js'
import { algorithms } from '../algorithms/index.js'
import type { Quota } from '../algorithms/quota.js'

interface Entry {
  /** Its own: changed in place, so that a busy partition leaves nothing to the garbage collector. Empty if there is only a penalty. */
  readonly state: number[]
  quota: Quota
  /** When a penalty ends, in ms; 0 if there is none. */
  penaltyEndsAt: number
  /** When all of it is as good as nothing, in ms. */
  expiresAt: number
  /** Seen again since it came, or since the last time that room was looked for. */
  touched: boolean
}

/** What is known of a partition. */
export type Kept = Readonly<Pick<Entry, 'penaltyEndsAt'>> & { readonly state: State }

const NOTHING: Kept = Object.freeze({ state: [], penaltyEndsAt: 0 })

/** How many entries are looked at, at most, to make room for one. */
const LOOKS = 16

/** How many states there are, at most, for those who find no place; each has one by the hash of its key. */
const SHARED_STATES = 4_096

/**
 * A bounded table of states. It has no timer: what is over is found when room is needed.
 *
 * When it is full, a newcomer takes the place of one that is over, else of one that still has quota left, the longest
 * unseen first; that one starts anew if it returns. One that has spent its quota, or is penalized, is never put out, so a flood of new
 * keys cannot unblock it. Where no place is found, newcomers share a state with some others: they are counted too high,
 * never too low.
 */
export class StateTable {
  readonly #entries = new Map<string, Entry>()
  readonly #shared = new Map<string, Entry>()
  readonly #maxKeys: number
  #hand: Iterator<[string, Entry]> = this.#entries.entries()

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string, quota: Quota, nowMs: number): Kept {
    const entry =
      this.#entries.get(key) ??
      (this.#shared.size === 0 ? undefined : this.#shared.get(sharedKey(key, quota)))
    if (entry === undefined) return NOTHING
    entry.touched = true
    return nowMs < entry.expiresAt ? entry : NOTHING
  }

  /** Leaves the state as it is. A penalty that ends later stands. */
  penalize(key: string, quota: Quota, nowMs: number, endsAt: number): void {
    const kept = this.get(key, quota, nowMs) as Entry
    if (kept === NOTHING) this.#put(key, [], quota, { endsAt, expiresAt: endsAt, nowMs })
    else if (endsAt > kept.penaltyEndsAt) {
      kept.penaltyEndsAt = endsAt
      kept.expiresAt = Math.max(kept.expiresAt, endsAt)
    }
  }

  /** @param endsAt  when a penalty ends, in ms; 0 if there is none */
  set(key: string, state: State, quota: Quota, nowMs: number, endsAt: number): void {
    const expiresAt = Math.max(endsAt, nowMs + algorithms[quota.algorithm].ttlMs(state, quota, nowMs))
    this.#put(key, state, quota, { endsAt, expiresAt, nowMs })
  }

  #put(
    key: string,
    state: State,
    quota: Quota,
    { endsAt, expiresAt, nowMs }: { endsAt: number; expiresAt: number; nowMs: number },
  ): void {
    const known = this.#entries.get(key)
    if (known !== undefined) {
      for (let index = 0; index < state.length; index++) known.state[index] = state[index]!
      known.state.length = state.length
      known.quota = quota
      known.penaltyEndsAt = endsAt
      known.expiresAt = expiresAt
      return
    }
    const entry: Entry = { state: [...state], quota, penaltyEndsAt: endsAt, expiresAt, touched: false }
    if (this.#hasRoom(nowMs)) this.#entries.set(key, entry)
    else this.#shared.set(sharedKey(key, quota), entry)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  #hasRoom(nowMs: number): boolean {
    if (this.#entries.size < this.#maxKeys) return true
    let idle: string | undefined
    for (let look = 0; look < LOOKS; look++) {
      const [key, entry] = this.#next()
      if (nowMs >= entry.expiresAt) {
        this.#entries.delete(key)
        return true
      }
      if (!isSpent(entry, nowMs)) {
        if (!entry.touched) {
          this.#entries.delete(key)
          return true
        }
        idle ??= key
      }
      entry.touched = false
    }
    return idle !== undefined && this.#entries.delete(idle)
  }

  #next(): [string, Entry] {
    let next = this.#hand.next()
    if (next.done) {
      this.#hand = this.#entries.entries()
      next = this.#hand.next()
    }
    return next.value!
  }
}

function isSpent({ state, quota, penaltyEndsAt }: Entry, nowMs: number): boolean {
  if (penaltyEndsAt > nowMs) return true
  if (state.length === 0) return false
  const algorithm = algorithms[quota.algorithm]
  return algorithm.available(algorithm.advance(state, quota, nowMs), quota, nowMs) < 1
}

function sharedKey(key: string, quota: Quota): string {
  let hash = 0
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0
  return `${(hash >>> 0) % SHARED_STATES} ${quota.algorithm} ${quota.windowMs} ${quota.buckets}`
}
