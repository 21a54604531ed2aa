import { keyspace, type RedisClient } from '@scale/redis'
import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq'
import type { Cluster, Redis } from 'ioredis'
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

type Client = Redis | Cluster
/** What BullMQ keeps: its data is our text. */
type TextJob = Job<string, void>

/** How soon a connection that could not be opened is opened again, in ms. */
const RETRY_MS = 1_000
/** How long a worker that was told to leave has to close its connections, in ms. */
const FAREWELL_MS = 500
const NAME = 'job'
/** Marks a job whose id nobody has to remember. */
const UNKEPT = 'once'

/** Jobs in Redis, by BullMQ. Works on Redis Cluster: the keys of a queue share a slot. */
export class BullmqJobStore implements JobStore {
  readonly #redis: Client
  readonly #policy: StorePolicy
  readonly #prefix: string
  readonly #workers = new Set<StoreWorker>()
  #queue: Queue<string, void> | undefined

  constructor(redis: RedisClient, prefix: string, policy: StorePolicy) {
    this.#redis = redis as Client
    this.#policy = policy
    this.#prefix = keyspace(prefix, 'jobs', 1).tagged(policy.queue)
  }

  async add(jobs: readonly NewJob[]): Promise<void> {
    const queue = await this.#ready()
    await queue.addBulk(
      jobs.map(({ id, data, delayMs, isKept }) => ({
        name: isKept ? NAME : UNKEPT,
        data,
        opts: { ...this.#jobOptions(isKept), jobId: id, delay: delayMs },
      })),
    )
  }

  work(run: (job: TakenJob) => Promise<void>, concurrency: number): StoreWorker {
    const { queue: name, pauseMs, isFinal, lockMs, maxCrashes, onLost } = this.#policy
    const connection = ownConnection(this.#redis)
    const worker = new Worker<string, void>(
      name,
      async (job) => {
        try {
          await run({ id: job.id!, data: job.data, attempt: job.attemptsMade + 1 })
        } catch (error) {
          throw isFinal(error)
            ? Object.assign(new UnrecoverableError(messageOf(error)), { cause: error })
            : asError(error)
        }
      },
      {
        connection,
        prefix: this.#prefix,
        concurrency,
        lockDuration: lockMs,
        stalledInterval: lockMs,
        maxStalledCount: maxCrashes,
        runRetryDelay: RETRY_MS,
        settings: { backoffStrategy: (failures) => pauseMs(failures) },
      },
    )
    // What is wrong with the connection the app hears from its own client; BullMQ goes on by itself.
    worker.on('error', () => undefined)
    worker.on('completed', (job) => this.#forget(job))
    worker.on('failed', (job, error, before) => {
      // Of a job that ran the caller knows already.
      if (job !== undefined && before === 'active' && error.message.startsWith('job stalled')) {
        onLost(job.id!, error.message)
      }
    })
    const closing = (): Promise<void> => worker.close().finally(() => connection.disconnect())
    const stored: StoreWorker = {
      close: async (signal) => {
        const closed = closing()
        const left = aborted(signal).then(async () => {
          // Its locks run out, and others run what it has left.
          await new Promise((resolve) => setTimeout(resolve, FAREWELL_MS))
          await worker.disconnect()
          connection.disconnect()
        })
        await Promise.race([closed, left])
        this.#workers.delete(stored)
      },
    }
    this.#workers.add(stored)
    return stored
  }

  async dead(limit: number): Promise<readonly StoredDeadJob[]> {
    const jobs = (await (await this.#ready()).getFailed(0, limit - 1)) as TextJob[]
    return jobs.map(({ id, data, attemptsMade, finishedOn = 0, failedReason }) => ({
      id: id!,
      data,
      attempts: attemptsMade,
      diedAt: finishedOn,
      reason: failedReason,
    }))
  }

  async revive(ids: readonly string[]): Promise<number> {
    const queue = await this.#ready()
    const revived = await Promise.all(
      ids.map(async (id) => {
        const job = await queue.getJob(id)
        if (job === undefined || !(await job.isFailed())) return false
        // Another one may have been quicker: then it is not dead any more.
        return job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true }).then(
          () => true,
          () => false,
        )
      }),
    )
    return revived.filter(Boolean).length
  }

  async schedule(name: string, { pattern, timeZone = 'UTC', everyMs }: Times, data: string): Promise<void> {
    // Without a beginning BullMQ would run the first one at once, and again after each change.
    const times =
      everyMs === undefined
        ? { pattern: pattern!, tz: timeZone }
        : { every: everyMs, startDate: nextMultiple(everyMs, Date.now()) }
    const queue = await this.#ready()
    // BullMQ 6.7 goes on with the offset of the former interval, which may be far longer: it would wait for that.
    const before = await queue.getJobScheduler(name)
    if (before?.every !== undefined && before.every !== everyMs) await queue.removeJobScheduler(name)
    await queue.upsertJobScheduler(name, times, { name: UNKEPT, data, opts: this.#jobOptions(false) })
  }

  async unschedule(name: string): Promise<boolean> {
    return (await this.#ready()).removeJobScheduler(name)
  }

  async counts(): Promise<JobCounts> {
    const queue = await this.#ready()
    const {
      waiting = 0,
      prioritized = 0,
      delayed = 0,
      active = 0,
      failed = 0,
    } = await queue.getJobCounts(...(['waiting', 'prioritized', 'delayed', 'active', 'failed'] as const))
    return { waiting: waiting + prioritized, delayed, running: active, dead: failed }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.close(undefined)))
    await this.#queue?.close().catch(() => undefined)
  }

  /** The queue, connected. One that could not be is made anew: BullMQ's would stay as it is. */
  async #ready(): Promise<Queue<string, void>> {
    if (this.#queue === undefined) {
      this.#queue = new Queue(this.#policy.queue, { connection: this.#redis, prefix: this.#prefix })
      this.#queue.on('error', () => undefined)
    }
    const queue = this.#queue
    try {
      await queue.waitUntilReady()
    } catch (error) {
      if (this.#queue === queue) this.#queue = undefined
      throw error
    }
    return queue
  }

  #jobOptions(isKept: boolean) {
    const { attempts, keepDoneMs, keepDeadMs } = this.#policy
    return {
      attempts,
      backoff: { type: 'custom' },
      removeOnComplete: isKept ? { age: Math.ceil(keepDoneMs / 1_000) } : true,
      removeOnFail: { age: Math.ceil(keepDeadMs / 1_000) },
    }
  }

  /** Of a job that was done the id is kept, and not what it said: that may be a secret. */
  #forget(job: TextJob): void {
    if (job.name === NAME) job.updateData('').catch(() => undefined)
  }
}

/** A connection for a worker: it waits for as long as it takes, which that of requests must not. */
function ownConnection(redis: Client): Client {
  const patient = { maxRetriesPerRequest: null, enableOfflineQueue: true, lazyConnect: false }
  const own = redis.isCluster
    ? (redis as Cluster).duplicate([], {
        enableOfflineQueue: true,
        lazyConnect: false,
        redisOptions: { ...(redis as Cluster).options.redisOptions, ...patient } as object,
      })
    : (redis as Redis).duplicate(patient)
  own.on('error', () => undefined)
  return own
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve()
    else signal?.addEventListener('abort', () => resolve(), { once: true })
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
