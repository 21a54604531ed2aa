/** How important a task is; 0 is run first. */
export type Priority = 0 | 1 | 2 | 3

const PRIORITIES = 4

/** Those who wait: by importance, and among equals the first comes first. Each operation costs the same however many wait. */
export class TaskQueue<Task extends { readonly priority: Priority }> {
  readonly #queues = Array.from({ length: PRIORITIES }, () => new Set<Task>())
  #size = 0

  get size(): number {
    return this.#size
  }

  add(task: Task): void {
    this.#queues[task.priority]!.add(task)
    this.#size++
  }

  /** @returns false if it does not wait here */
  remove(task: Task): boolean {
    const wasThere = this.#queues[task.priority]!.delete(task)
    if (wasThere) this.#size--
    return wasThere
  }

  /** @returns `undefined` if nobody waits */
  take(): Task | undefined {
    for (const queue of this.#queues) {
      const [first] = queue
      if (first === undefined) continue
      this.remove(first)
      return first
    }
    return undefined
  }

  /** Of the least important the one that has waited longest, if it is less important than this. */
  lessImportantThan(priority: Priority): Task | undefined {
    for (let least = PRIORITIES - 1; least > priority; least--) {
      const [first] = this.#queues[least]!
      if (first !== undefined) return first
    }
    return undefined
  }
}
