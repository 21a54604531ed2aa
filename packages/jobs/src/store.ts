/** A job that is to be run. */
export interface NewJob {
  /** One that is known, whatever became of it, is not added again. */
  id: string
  /** What it says, sealed: see `sealed-job.ts`. */
  data: string
  /** How long it is to wait first, in ms. */
  delayMs: number
  /** Whether its id stays known for `keepDoneMs` after it was done. */
  isKept: boolean
}

/** A job that somebody has to run now. */
export interface TakenJob {
  id: string
  data: string
  /** How often it has been tried, with this time; crashes are not counted. */
  attempt: number
}

/** A job that has failed for good. */
export interface StoredDeadJob {
  id: string
  data: string
  attempts: number
  diedAt: number
  /** What the last error said. */
  reason: string
}

/** How many jobs there are: that wait, that wait for their time, that run, that are dead. */
export interface JobCounts {
  waiting: number
  delayed: number
  running: number
  dead: number
}

/** When a schedule adds a job. */
export type Times =
  /** Cron, five or six fields, in a time zone of the IANA. Default: UTC */
  | { readonly pattern: string; readonly timeZone?: string; readonly everyMs?: undefined }
  /** Each multiple of it, counted from 1970. */
  | { readonly everyMs: number; readonly pattern?: undefined; readonly timeZone?: undefined }

/** What a store is told about its queue. */
export interface StorePolicy {
  readonly queue: string
  readonly attempts: number
  /** Pause after so many failures, in ms. */
  pauseMs(failures: number): number
  /** Whether no repetition can help. */
  isFinal(error: unknown): boolean
  readonly lockMs: number
  readonly maxCrashes: number
  readonly keepDoneMs: number
  readonly keepDeadMs: number
  /** A job is dead that nobody has run to its end. */
  onLost(id: string, reason: string): void
}

/** Takes jobs and has them run. */
export interface StoreWorker {
  /** Takes no more, and waits for those that run; when `signal` aborts, it leaves them: others run them again after `lockMs`. */
  close(signal: AbortSignal | undefined): Promise<void>
}

/** Keeps the jobs of one queue. Contract: `@scale/jobs/testing`. */
export interface JobStore {
  /**
   * Adds jobs, each at most once, whoever else adds one of the same id meanwhile.
   *
   * @throws  some may have been added; to add them again is harmless
   */
  add(jobs: readonly NewJob[]): Promise<void>
  /**
   * Has jobs run, `concurrency` at a time, the oldest first.
   *
   * One that throws is run again after `pauseMs`, `attempts` times in all; then, or if its error `isFinal`, it is dead. One
   * whose process has died is run again after `lockMs`.
   */
  work(run: (job: TakenJob) => Promise<void>, concurrency: number): StoreWorker
  /** Dead jobs, the newest first. */
  dead(limit: number): Promise<readonly StoredDeadJob[]>
  /** Brings dead jobs back, with all their attempts. @returns how many of them were dead */
  revive(ids: readonly string[]): Promise<number>
  /** Adds a job each time; a schedule of the same name is replaced. A time at which nobody works is made up for once. */
  schedule(name: string, times: Times, data: string): Promise<void>
  /** @returns whether there was one */
  unschedule(name: string): Promise<boolean>
  counts(): Promise<JobCounts>
  /** Ends all workers first. */
  close(): Promise<void>
}
