import { getNextMillis } from 'bullmq'
import type {
  JobCounts,
  JobStore,
  NewJob,
  StoredDeadJob,
  StorePolicy,
  StoreWorker,
  TakenJob,
  Times,
} from '../store.js'
import { nextMultiple } from './next-multiple.js'

interface Entry extends NewJob {
  attempts: number
  state: 'waiting' | 'delayed' | 'running' | 'done' | 'dead'
  diedAt: number
  reason: string
}

/** Longest time of a Node timer. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Jobs of one process; they end with it. */
export class MemoryJobStore implements JobStore {
  readonly #policy: StorePolicy
  /** By id, in the order in which they were added. */
  readonly #jobs = new Map<string, Entry>()
  readonly #waiting: Entry[] = []
  readonly #workers = new Set<MemoryWorker>()
  readonly #timers = new Set<() => void>()
  readonly #schedules = new Map<string, () => void>()

  constructor(policy: StorePolicy) {
    this.#policy = policy
  }

  async add(jobs: readonly NewJob[]): Promise<void> {
    for (const job of jobs) {
      if (this.#jobs.has(job.id)) continue
      const entry: Entry = { ...job, attempts: 0, state: 'waiting', diedAt: 0, reason: '' }
      this.#jobs.set(job.id, entry)
      this.#enqueue(entry, job.delayMs)
    }
  }

  work(run: (job: TakenJob) => Promise<void>, concurrency: number): StoreWorker {
    const worker = new MemoryWorker(concurrency, () => {
      const entry = this.#waiting.shift()
      return entry && this.#runOnce(entry, run)
    })
    this.#workers.add(worker)
    worker.wake()
    return {
      close: async (signal) => {
        this.#workers.delete(worker)
        await worker.close(signal)
      },
    }
  }

  async dead(limit: number): Promise<readonly StoredDeadJob[]> {
    return [...this.#jobs.values()]
      .filter(({ state }) => state === 'dead')
      .sort((a, b) => b.diedAt - a.diedAt)
      .slice(0, limit)
      .map(({ id, data, attempts, diedAt, reason }) => ({ id, data, attempts, diedAt, reason }))
  }

  async revive(ids: readonly string[]): Promise<number> {
    const dead = ids.map((id) => this.#jobs.get(id)).filter((entry) => entry?.state === 'dead')
    for (const entry of dead) {
      entry!.attempts = 0
      this.#enqueue(entry!, 0)
    }
    return dead.length
  }

  async schedule(name: string, times: Times, data: string): Promise<void> {
    await this.unschedule(name)
    let count = 0
    const next = (): void => {
      const atMs = nextTime(times)
      this.#schedules.set(
        name,
        this.#later(atMs - Date.now(), () => {
          void this.add([{ id: `${name}@${atMs}.${count++}`, data, delayMs: 0, isKept: false }])
          next()
        }),
      )
    }
    next()
  }

  async unschedule(name: string): Promise<boolean> {
    this.#schedules.get(name)?.()
    return this.#schedules.delete(name)
  }

  async counts(): Promise<JobCounts> {
    const count = (wanted: Entry['state']): number =>
      [...this.#jobs.values()].filter(({ state }) => state === wanted).length
    return {
      waiting: count('waiting'),
      delayed: count('delayed'),
      running: count('running'),
      dead: count('dead'),
    }
  }

  async close(): Promise<void> {
    for (const cancel of this.#timers) cancel()
    await Promise.all([...this.#workers].map((worker) => worker.close(undefined)))
  }

  #enqueue(entry: Entry, delayMs: number): void {
    const enter = (): void => {
      entry.state = 'waiting'
      this.#waiting.push(entry)
      for (const worker of this.#workers) worker.wake()
    }
    if (delayMs <= 0) enter()
    else {
      entry.state = 'delayed'
      this.#later(delayMs, enter)
    }
  }

  async #runOnce(entry: Entry, run: (job: TakenJob) => Promise<void>): Promise<void> {
    entry.state = 'running'
    entry.attempts++
    try {
      await run({ id: entry.id, data: entry.data, attempt: entry.attempts })
      this.#finish(entry, 'done')
    } catch (error) {
      if (entry.attempts < this.#policy.attempts && !this.#policy.isFinal(error)) {
        return this.#enqueue(entry, this.#policy.pauseMs(entry.attempts))
      }
      entry.reason = error instanceof Error ? error.message : String(error)
      entry.diedAt = Date.now()
      this.#finish(entry, 'dead')
    }
  }

  #finish(entry: Entry, state: 'done' | 'dead'): void {
    entry.state = state
    if (state === 'done') entry.data = ''
    if (state === 'done' && !entry.isKept) this.#jobs.delete(entry.id)
    else {
      const keepMs = state === 'done' ? this.#policy.keepDoneMs : this.#policy.keepDeadMs
      this.#later(keepMs, () => {
        if (entry.state === state) this.#jobs.delete(entry.id)
      })
    }
  }

  /** A timer of any length that keeps no process running. @returns a function that ends it */
  #later(delayMs: number, callback: () => void): () => void {
    const endsAt = Date.now() + delayMs
    let timer: NodeJS.Timeout
    const wait = (): void => {
      const leftMs = endsAt - Date.now()
      if (leftMs > 0) timer = setTimeout(wait, Math.min(leftMs, MAX_TIMER_MS)).unref()
      else {
        this.#timers.delete(cancel)
        callback()
      }
    }
    const cancel = (): void => {
      clearTimeout(timer)
      this.#timers.delete(cancel)
    }
    this.#timers.add(cancel)
    // Never in this tick: whoever asked may not be ready.
    timer = setTimeout(wait, 0).unref()
    return cancel
  }
}

function nextTime({ pattern, timeZone = 'UTC', everyMs }: Times): number {
  return everyMs === undefined
    ? getNextMillis(Date.now(), { pattern: pattern!, tz: timeZone })!
    : nextMultiple(everyMs, Date.now())
}

/** Runs jobs, some at a time. */
class MemoryWorker {
  readonly #concurrency: number
  readonly #runNext: () => Promise<void> | undefined
  readonly #running = new Set<Promise<void>>()
  #isClosed = false

  /** @param runNext  begins the next one, if there is one */
  constructor(concurrency: number, runNext: () => Promise<void> | undefined) {
    this.#concurrency = concurrency
    this.#runNext = runNext
  }

  wake(): void {
    while (!this.#isClosed && this.#running.size < this.#concurrency) {
      const one = this.#runNext()?.finally(() => {
        this.#running.delete(one!)
        this.wake()
      })
      if (one === undefined) return
      this.#running.add(one)
    }
  }

  async close(signal: AbortSignal | undefined): Promise<void> {
    this.#isClosed = true
    const aborted = new Promise<void>((resolve) => {
      if (signal?.aborted) resolve()
      else signal?.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.race([Promise.all(this.#running), aborted])
  }
}
