import type { FamilyRef } from '../issuer/refresh-token.js'
import type { Family, FamilyStore } from './family-store.js'

/** Options of `memoryFamilyStore`. */
export interface MemoryFamilyStoreOptions {
  /** Families at a time; above it the one that was not used for the longest time goes. Default 10,000 */
  maxFamilies?: number
  /** The time, in ms. Default `Date.now` */
  clock?: () => number
}

interface Entry extends Family {
  readonly ref: FamilyRef
  readonly idleTimeoutMs: number
  readonly device: string
  readonly boundTo: string
  readonly digest: string
  readonly refreshedAt: number
  readonly isEnded: boolean
  /** The newest first. */
  readonly retired: readonly {
    readonly digest: string
    readonly nonce: string
    readonly graceUntil: number
  }[]
}

const MAX_RETIRED = 8

/** Families in this process: for tests, for a first try, and for the one process that is all there is. */
export function memoryFamilyStore(options: MemoryFamilyStoreOptions = {}): FamilyStore {
  const { maxFamilies = 10_000, clock = Date.now } = options
  /** By tag and id; the last used at the end. */
  const families = new Map<string, Entry>()
  const nameOf = ({ tag, id }: FamilyRef): string => tag + id

  /** Also one that was ended and is not forgotten. */
  function known(ref: FamilyRef): Entry | undefined {
    const entry = families.get(nameOf(ref))
    if (entry === undefined) return undefined
    if (clock() < Math.min(entry.refreshedAt + entry.idleTimeoutMs, entry.expiresAt)) return entry
    families.delete(nameOf(ref))
    return undefined
  }

  function put(entry: Entry): void {
    families.delete(nameOf(entry.ref))
    families.set(nameOf(entry.ref), entry)
  }

  function ofUser(tag: string): Entry[] {
    return [...families.values()].filter(({ ref }) => ref.tag === tag && known(ref)?.isEnded === false)
  }

  return {
    create: async (ref, { absoluteTimeoutMs, maxPerUser, ...family }) => {
      const nowMs = clock()
      const expiresAt = nowMs + absoluteTimeoutMs
      const others = ofUser(ref.tag)
      const tooMany = others.slice(0, Math.max(0, others.length - maxPerUser + 1))
      for (const entry of tooMany) families.delete(nameOf(entry.ref))
      put({ ref, ...family, createdAt: nowMs, refreshedAt: nowMs, expiresAt, retired: [], isEnded: false })
      if (families.size > maxFamilies) families.delete(families.keys().next().value!)
      return nowMs
    },
    rotate: async (ref, digest, rotation) => {
      const entry = known(ref)
      if (entry === undefined) return { outcome: 'unknown' }
      if (entry.isEnded) return { outcome: 'reused', userId: entry.userId }
      if (entry.boundTo !== '' && entry.boundTo !== rotation.provedKey) return { outcome: 'other-key' }
      const nowMs = clock()
      const { userId, createdAt, expiresAt, grant } = entry
      const family = { userId, createdAt, expiresAt, grant }
      const retired = entry.retired.filter(({ graceUntil }) => nowMs < graceUntil)
      if (digest === entry.digest) {
        const replaced = { digest, nonce: rotation.nonce, graceUntil: nowMs + rotation.graceMs }
        const known = rotation.graceMs > 0 ? [replaced, ...retired].slice(0, MAX_RETIRED) : retired
        put({ ...entry, digest: rotation.digest, refreshedAt: nowMs, retired: known })
        return { outcome: 'rotated', nowMs, family }
      }
      const earlier = retired.find((one) => one.digest === digest)
      if (earlier !== undefined) return { outcome: 'repeated', nowMs, nonce: earlier.nonce, family }
      families.set(nameOf(ref), { ...entry, isEnded: true })
      return { outcome: 'reused', userId }
    },
    end: async (ref) => {
      const entry = known(ref)
      if (entry !== undefined) families.set(nameOf(ref), { ...entry, isEnded: true })
      return entry?.userId
    },
    forget: async (ref) => {
      families.delete(nameOf(ref))
    },
    list: async (tag, limit, after) => {
      const all = ofUser(tag).reverse()
      const first = after === undefined ? 0 : all.findIndex(({ ref }) => ref.id === after) + 1
      if (after !== undefined && first === 0) return []
      return all.slice(first, first + limit).map(({ ref, createdAt, refreshedAt, expiresAt, device }) => ({
        id: ref.id,
        createdAt,
        refreshedAt,
        expiresAt,
        device,
      }))
    },
    endAll: async (tag) => {
      const entries = ofUser(tag)
      for (const { ref } of entries) families.delete(nameOf(ref))
      return { count: entries.length, nowMs: clock() }
    },
  }
}
