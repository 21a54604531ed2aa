/** Who waits, as far as the order is concerned. */
export interface Waiting {
  /** 0, first of all, to 3. */
  readonly priority: Priority
  /** Whose it is: those who share a name share a place. */
  readonly partition: string
  /** When its client has left, it is passed over. */
  readonly hasLeft: boolean
}

/** 0 is served first and is refused last. */
export type Priority = 0 | 1 | 2 | 3

const PRIORITIES = 4

/**
 * A bounded room in which requests wait for their turn: by priority; within it the partition that has the least running;
 * within that the oldest first, or the newest when asked so.
 */
export class WaitingRoom<Guest extends Waiting> {
  readonly #levels: readonly Map<string, Guest[]>[] = Array.from({ length: PRIORITIES }, () => new Map())
  readonly #capacity: number
  #size = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** How many wait, those who have left counted until they are passed over. */
  get size(): number {
    return this.#size
  }

  /**
   * Lets somebody wait.
   *
   * @returns who has to go instead, if it is full: the oldest of the largest partition of the lowest priority, or the
   *   newcomer if all others are more important
   */
  add(guest: Guest): Guest | undefined {
    const displaced = this.#size < this.#capacity ? undefined : this.#displaced(guest)
    if (displaced === guest) return guest
    const level = this.#levels[guest.priority]!
    const queue = level.get(guest.partition)
    if (queue === undefined) level.set(guest.partition, [guest])
    else queue.push(guest)
    this.#size++
    return displaced
  }

  #displaced(newcomer: Guest): Guest {
    for (let priority = PRIORITIES - 1; priority >= newcomer.priority; priority--) {
      const level = this.#levels[priority]!
      let largest: Guest[] | undefined
      for (const queue of level.values()) if (queue.length > (largest?.length ?? 0)) largest = queue
      if (largest !== undefined) return this.#removeFrom(level, largest, 'oldest')
    }
    return newcomer
  }

  /**
   * Who is next; `undefined` if nobody waits.
   *
   * @param runningOf  how many of a partition run
   */
  take(order: 'oldest' | 'newest', runningOf: (partition: string) => number): Guest | undefined {
    const level = this.#levels.find(({ size }) => size > 0)
    if (level === undefined) return undefined
    let [least, chosen]: [number, Guest[] | undefined] = [Number.POSITIVE_INFINITY, undefined]
    for (const [partition, queue] of level) {
      const running = runningOf(partition)
      if (running < least) [least, chosen] = [running, queue]
      if (running === 0) break
    }
    return this.#removeFrom(level, chosen!, order)
  }

  #removeFrom(level: Map<string, Guest[]>, queue: Guest[], which: 'oldest' | 'newest'): Guest {
    const guest = which === 'oldest' ? queue.shift()! : queue.pop()!
    // Behind the others of its level: those who have equally much running take turns.
    level.delete(guest.partition)
    if (queue.length > 0) level.set(guest.partition, queue)
    this.#size--
    return guest
  }

  /** Removes, oldest first, all for whom the condition holds. @returns who they are */
  sweep(condition: (guest: Guest) => boolean): Guest[] {
    const removed: Guest[] = []
    if (this.#size === 0) return removed
    for (const level of this.#levels) {
      for (const [partition, queue] of level) {
        const kept = queue.filter((guest) => !condition(guest) || removed.push(guest) === 0)
        if (kept.length === 0) level.delete(partition)
        else if (kept.length < queue.length) level.set(partition, kept)
      }
    }
    this.#size -= removed.length
    return removed
  }
}
