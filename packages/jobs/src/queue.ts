import { createHash, randomUUID } from 'node:crypto'
import {
  assertMemoryStoreAllowed,
  InvalidOption,
  resolveOptions,
  runInRequestContext,
  type Schema,
} from '@scale/core'
import { RedisUnavailable, storeGuard } from '@scale/redis'
import { backoffMs } from './backoff.js'
import { runChannel } from './channels.js'
import { InvalidJob, JobRefused, QueueClosed } from './errors.js'
import {
  type QueueOptions,
  queueChecks,
  queueDefaults,
  type WorkOptions,
  workChecks,
  workDefaults,
} from './options.js'
import { seal, sealedData, unseal } from './sealed-job.js'
import type { JobCounts, JobStore, NewJob, StorePolicy, TakenJob, Times } from './store.js'
import { BullmqJobStore } from './stores/bullmq.js'
import { MemoryJobStore } from './stores/memory.js'

type TypesOf<JobSchema extends Schema> = NonNullable<JobSchema['~standard']['types']>
/** What whoever adds a job writes. */
export type JobInput<JobSchema extends Schema> = TypesOf<JobSchema>['input']
/** What whoever runs it reads. */
export type JobOutput<JobSchema extends Schema> = TypesOf<JobSchema>['output']

/** What is known about a run. */
export interface Run {
  /** Of the job, the same in each of its runs: what a receiver can tell repetitions by. */
  id: string
  /** From 1. */
  attempt: number
  /** Aborts when the process is to end now. */
  signal: AbortSignal
}

/** A job that has failed for good. */
export interface DeadJob {
  id: string
  data: unknown
  attempts: number
  diedAt: Date
  /** What the last error said. */
  reason: string
}

/** Runs jobs in this process. */
export interface QueueWorker {
  /** Takes no more, and waits for those that run; when `signal` aborts, so does theirs, and what they leave is run elsewhere. */
  close(options?: { signal?: AbortSignal }): Promise<void>
}

/** A queue of jobs of one kind. */
export interface JobQueue<JobSchema extends Schema = Schema> {
  readonly name: string
  /**
   * Adds a job.
   *
   * @param options.key      two jobs of one key are one, until `keepDoneMs` after it was done
   * @param options.delayMs  how long it waits first. Default 0
   * @returns its id
   * @throws {InvalidJob} the schema does not take it
   * @throws {RedisUnavailable} it may have been added; with a `key` it can be added again
   */
  add(data: JobInput<JobSchema>, options?: { key?: string; delayMs?: number }): Promise<string>
  /**
   * Has jobs run in this process.
   *
   * @param run  may be called again for a job: after it throws, or after its process has died
   */
  work(run: (data: JobOutput<JobSchema>, run: Run) => unknown, options?: WorkOptions): QueueWorker
  /** Dead jobs, the newest first. @param options.limit  Default 100 */
  dead(options?: { limit?: number }): Promise<readonly DeadJob[]>
  /** Brings dead jobs back with all their attempts: those of `ids`, or the newest 1,000. @returns how many */
  retryDead(ids?: readonly string[]): Promise<number>
  /** Adds a job each time, once for all processes. The schedule of this name is replaced. */
  schedule(name: string, times: Times, data: JobInput<JobSchema>): Promise<void>
  /** @returns whether there was one */
  unschedule(name: string): Promise<boolean>
  counts(): Promise<JobCounts>
  /** Closes all workers as they are by themselves, and the queue. The Redis client is the app's. */
  close(options?: { signal?: AbortSignal }): Promise<void>
  /** For the outbox. */
  readonly [inside]: QueueInside
}

/** What the outbox needs of a queue. */
export const inside: unique symbol = Symbol('@scale/jobs/inside')
/** See {@link inside}. */
export interface QueueInside {
  seal(data: unknown): Promise<string>
  add(jobs: readonly NewJob[]): Promise<void>
}

/** Longest wait of those who look after a queue, and of a relay, in ms: no request waits with them. */
const [ADMIN_MS, RELAY_MS] = [30_000, 10_000]

/**
 * Opens a queue. Every process that adds or runs its jobs opens it, with the same options.
 *
 * @param name  1 to 64 letters, digits, `_` or `-`
 */
export function queue<JobSchema extends Schema>(
  name: string,
  options: QueueOptions<JobSchema>,
): JobQueue<JobSchema> {
  if (!/^[\w-]{1,64}$/.test(name)) {
    throw new InvalidOption('queue: the name must be 1 to 64 letters, digits, underscores or hyphens.')
  }
  const resolved = resolveOptions('queue', options as QueueOptions, {
    checks: queueChecks,
    defaults: queueDefaults,
    required: ['schema'],
  })
  const { redis, schema, deadlineMs, allowMemoryStore } = resolved
  if (redis === undefined) assertMemoryStoreAllowed('queue', allowMemoryStore)
  const policy: StorePolicy = {
    ...resolved,
    queue: name,
    pauseMs: (failures) => backoffMs(failures, { firstMs: resolved.backoffMs, maxMs: resolved.maxBackoffMs }),
    isFinal: (error) => error instanceof JobRefused || error instanceof InvalidJob,
    onLost: (id, reason) =>
      runChannel.publish({
        queue: name,
        id,
        outcome: 'dead',
        attempt: 0,
        durationMs: 0,
        error: new Error(reason),
      }),
  }
  const store: JobStore =
    redis === undefined ? new MemoryJobStore(policy) : new BullmqJobStore(redis, resolved.prefix, policy)
  const workers = new Set<QueueWorker>()
  let isClosed = false

  /** Ends by its deadline, as everything that a request may wait for. */
  async function ask<Result>(work: () => Promise<Result>, withinMs: number = ADMIN_MS): Promise<Result> {
    if (isClosed) throw new QueueClosed(name)
    if (redis === undefined) return work()
    const guard = storeGuard(redis)
    if (!guard.available()) {
      throw new RedisUnavailable('not-ready', { retryAfterMs: guard.retryAfterMs() })
    }
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new RedisUnavailable('timeout', { retryAfterMs: 1_000 })), withinMs)
    })
    try {
      return await Promise.race([work(), late])
    } catch (cause) {
      throw cause instanceof RedisUnavailable
        ? cause
        : new RedisUnavailable('connection', { retryAfterMs: 1_000, cause })
    } finally {
      clearTimeout(timer)
    }
  }

  async function runOnce(
    job: TakenJob,
    run: (data: JobOutput<JobSchema>, run: Run) => unknown,
    signal: AbortSignal,
  ): Promise<void> {
    const startedAt = performance.now()
    const { id, attempt } = job
    const tell = (outcome: 'ok' | 'retry' | 'dead', error?: unknown): void => {
      if (!runChannel.hasSubscribers) return
      runChannel.publish({
        queue: name,
        id,
        outcome,
        attempt,
        durationMs: performance.now() - startedAt,
        error,
      })
    }
    try {
      const { data, context } = await unseal(name, schema, job)
      await runInRequestContext(context, async () => run(data, { id, attempt, signal }))
    } catch (error) {
      tell(attempt < policy.attempts && !policy.isFinal(error) ? 'retry' : 'dead', error)
      throw error
    }
    tell('ok')
  }

  const asJob = (data: string, { key, delayMs = 0 }: { key?: string; delayMs?: number } = {}): NewJob => ({
    id: key === undefined ? randomUUID() : `key-${createHash('sha256').update(key).digest('base64url')}`,
    data,
    delayMs,
    isKept: key !== undefined,
  })
  const sealed = (data: unknown): Promise<string> => seal(name, resolved, data)

  return {
    name,
    [inside]: { seal: sealed, add: (jobs) => ask(() => store.add(jobs), RELAY_MS) },
    async add(data, options) {
      const job = asJob(await sealed(data), options)
      await ask(() => store.add([job]), deadlineMs)
      return job.id
    },
    work(run, options) {
      if (isClosed) throw new QueueClosed(name)
      const { concurrency } = resolveOptions('work', options, { checks: workChecks, defaults: workDefaults })
      const abort = new AbortController()
      const inner = store.work((job) => runOnce(job, run, abort.signal), concurrency)
      const worker: QueueWorker = {
        async close({ signal } = {}) {
          const onAbort = (): void => abort.abort(signal!.reason)
          if (signal?.aborted) onAbort()
          else signal?.addEventListener('abort', onAbort, { once: true })
          await inner.close(signal)
          workers.delete(worker)
        },
      }
      workers.add(worker)
      return worker
    },
    async dead({ limit = 100 } = {}) {
      const jobs = await ask(() => store.dead(limit))
      return jobs.map(({ data, diedAt, ...job }) => ({
        ...job,
        data: sealedData(data),
        diedAt: new Date(diedAt),
      }))
    },
    async retryDead(ids) {
      return ask(async () => store.revive(ids ?? (await store.dead(1_000)).map(({ id }) => id)))
    },
    async schedule(schedule, times, data) {
      const text = await sealed(data)
      await ask(() => store.schedule(schedule, times, text))
    },
    unschedule: (schedule) => ask(() => store.unschedule(schedule)),
    counts: () => ask(() => store.counts()),
    async close(options) {
      isClosed = true
      await Promise.all([...workers].map((worker) => worker.close(options)))
      await store.close()
    },
  }
}
