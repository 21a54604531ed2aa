/** Share of the bytes that newcomers may take before the first of them has to leave. */
const SMALL_RATIO = 0.1
const MAX_FREQUENCY = 3
/** What a slot costs beside key and value: node, Map entry, ghost. */
const SLOT_OVERHEAD_BYTES = 200

interface Slot<Value> {
  readonly key: string
  value: Value
  bytes: number
  frequency: number
  queue: Queue<Value>
  older: Slot<Value> | undefined
  newer: Slot<Value> | undefined
}

/**
 * Values in this process, bounded in bytes: S3-FIFO. Newcomers wait in a small queue; those that are read again move
 * to the main one, the others leave. So a flood of keys that are asked for once does not evict the hot ones. A read
 * is a Map lookup and an increment; nothing is moved, no timer is set.
 *
 * @see Yang, Zhang, Qiu, Yue, Rashmi: FIFO queues are all you need for cache eviction, SOSP 2023
 */
export class L1<Value> {
  readonly maxBytes: number
  readonly #onLeave: (value: Value) => void
  #slots = new Map<string, Slot<Value>>()
  #small = new Queue<Value>()
  #main = new Queue<Value>()
  /** Hashes of keys that left the small queue lately: if one comes back, it goes to the main queue at once. */
  #ghosts = new Set<number>()

  /** @param onLeave  given every value that is evicted or deleted; not those that `clear` drops */
  constructor(maxBytes: number, onLeave: (value: Value) => void = () => {}) {
    this.maxBytes = maxBytes
    this.#onLeave = onLeave
  }

  get bytes(): number {
    return this.#small.bytes + this.#main.bytes
  }

  get size(): number {
    return this.#slots.size
  }

  get(key: string): Value | undefined {
    const slot = this.#slots.get(key)
    if (slot === undefined) return undefined
    if (slot.frequency < MAX_FREQUENCY) slot.frequency++
    return slot.value
  }

  /** Looks without counting it as a use. */
  peek(key: string): Value | undefined {
    return this.#slots.get(key)?.value
  }

  /** @param bytes  of the value. One that takes more than a tenth of the memory is not kept. */
  set(key: string, value: Value, bytes: number): void {
    const cost = bytes + key.length * 2 + SLOT_OVERHEAD_BYTES
    const known = this.#slots.get(key)
    if (cost > this.maxBytes * SMALL_RATIO) {
      this.delete(key)
      return
    }
    if (known !== undefined) {
      known.queue.bytes += cost - known.bytes
      known.value = value
      known.bytes = cost
    } else {
      const queue = this.#ghosts.delete(hash(key)) ? this.#main : this.#small
      const slot = { key, value, bytes: cost, frequency: 0, queue, older: undefined, newer: undefined }
      this.#slots.set(key, slot)
      queue.push(slot)
    }
    while (this.bytes > this.maxBytes) this.#evictOne()
  }

  delete(key: string): boolean {
    const slot = this.#slots.get(key)
    if (slot === undefined) return false
    slot.queue.remove(slot)
    this.#forget(slot)
    return true
  }

  /** O(1), whatever it holds. */
  clear(): void {
    this.#slots = new Map()
    this.#small = new Queue()
    this.#main = new Queue()
    this.#ghosts = new Set()
  }

  #evictOne(): void {
    if (this.#small.bytes > this.maxBytes * SMALL_RATIO || this.#main.oldest === undefined) this.#evictSmall()
    else this.#evictMain()
  }

  #evictSmall(): void {
    const slot = this.#small.oldest!
    this.#small.remove(slot)
    if (slot.frequency > 0) {
      slot.frequency = 0
      this.#main.push(slot)
      return
    }
    this.#ghosts.add(hash(slot.key))
    if (this.#ghosts.size > Math.max(64, this.#slots.size)) {
      for (const oldest of this.#ghosts) {
        this.#ghosts.delete(oldest)
        break
      }
    }
    this.#forget(slot)
  }

  #evictMain(): void {
    const slot = this.#main.oldest!
    this.#main.remove(slot)
    if (slot.frequency > 0) {
      slot.frequency--
      this.#main.push(slot)
      return
    }
    this.#forget(slot)
  }

  #forget(slot: Slot<Value>): void {
    this.#slots.delete(slot.key)
    this.#onLeave(slot.value)
  }
}

/** First in, first out; any slot can be taken out. */
class Queue<Value> {
  bytes = 0
  oldest: Slot<Value> | undefined
  #newest: Slot<Value> | undefined

  push(slot: Slot<Value>): void {
    slot.queue = this
    slot.older = this.#newest
    slot.newer = undefined
    if (this.#newest === undefined) this.oldest = slot
    else this.#newest.newer = slot
    this.#newest = slot
    this.bytes += slot.bytes
  }

  remove(slot: Slot<Value>): void {
    if (slot.older === undefined) this.oldest = slot.newer
    else slot.older.newer = slot.newer
    if (slot.newer === undefined) this.#newest = slot.older
    else slot.newer.older = slot.older
    this.bytes -= slot.bytes
  }
}

/** FNV-1a, 32 bits. */
function hash(key: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193)
  return h >>> 0
}
