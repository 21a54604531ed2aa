import { setTimeout as sleep } from 'node:timers/promises'
import { vi } from 'vitest'
import { type OperationOptions, RedisUnavailable, type StoreGuard } from '../../src/index.js'

/** What came of many requests. */
export interface Outcome {
  /** How many ended in which way: `ok`, or the reason of `RedisUnavailable`. */
  counts: Record<string, number>
  /** The time that 99 of 100 requests did not exceed, in ms, without the time for which this process stood still. */
  p99Ms: number
}

/** Enough for any operation on a healthy server, however busy the machine is. */
export const PATIENT: OperationOptions = { deadlineMs: 10_000 }

const REQUESTS = 1_000
/** Longer than a server may be silent before it counts as gone. */
const DURATION_MS = 1_600
const TICK_MS = 5
/** A tick that is later than this means that the process did not get to run. */
const STALL_MS = 5

/**
 * Sends 1,000 requests at an even pace, whatever becomes of those before, and waits for all.
 *
 * @param options  Default: as the guard is set
 */
export async function traffic(guard: StoreGuard, key = 'key', options?: OperationOptions): Promise<Outcome> {
  const clock = runningClock()
  const requests: Promise<{ outcome: string; durationMs: number }>[] = []
  const startedAt = performance.now()
  while (requests.length < REQUESTS) {
    await sleep(TICK_MS)
    const due = Math.min(REQUESTS, (REQUESTS * (performance.now() - startedAt)) / DURATION_MS)
    while (requests.length < due) requests.push(request(guard.call('get', [key], options), clock))
  }
  const results = await Promise.all(requests)
  clock.stop()
  const durations = results.map((result) => result.durationMs).sort((a, b) => a - b)
  const counts: Record<string, number> = {}
  for (const { outcome } of results) counts[outcome] = (counts[outcome] ?? 0) + 1
  return { counts, p99Ms: durations[REQUESTS * 0.99 - 1]! }
}

async function request(
  operation: Promise<unknown>,
  clock: RunningClock,
): Promise<{ outcome: string; durationMs: number }> {
  const startedAt = clock.now()
  const outcome = await outcomeOf(operation)
  return { outcome, durationMs: clock.now() - startedAt }
}

interface RunningClock {
  /** In ms. */
  now(): number
  stop(): void
}

/** A clock that stands still while this process does: on a busy machine nobody is answered then. */
function runningClock(): RunningClock {
  let stalledMs = 0
  let tickedAt = performance.now()
  const stallSinceTick = (): number => {
    const late = performance.now() - tickedAt - TICK_MS
    return late > STALL_MS ? late : 0
  }
  const ticker = setInterval(() => {
    stalledMs += stallSinceTick()
    tickedAt = performance.now()
  }, TICK_MS)
  return {
    now: () => performance.now() - stalledMs - stallSinceTick(),
    stop: () => clearInterval(ticker),
  }
}

/** `ok`, or why there was no answer; any other failure is thrown. */
export async function outcomeOf(operation: Promise<unknown>): Promise<string> {
  try {
    await operation
    return 'ok'
  } catch (error) {
    if (error instanceof RedisUnavailable) return error.reason
    throw error
  }
}

/** Waits until the assertion holds. */
export function eventually(assertion: () => unknown): Promise<unknown> {
  return vi.waitFor(assertion, { timeout: 20_000, interval: 10 })
}
