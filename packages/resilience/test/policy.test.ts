import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type CallMessage, callChannel, type PolicyOptions, policy } from '../src/index.js'

/** A task that ends when it is told to. */
function pending<Value>(): {
  promise: Promise<Value>
  resolve(value: Value): void
  reject(e: unknown): void
} {
  let settle!: { resolve(value: Value): void; reject(error: unknown): void }
  const promise = new Promise<Value>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, ...settle }
}

const down = new Error('down')
const fail = async (): Promise<never> => {
  throw down
}
const never = (): Promise<never> => new Promise(() => {})

it('gives what the task gives, and throws what it throws', async () => {
  const sql = policy('sql')
  expect(await sql.run(() => 1)).toBe(1)
  expect(await sql.run(async ({ number }) => number)).toBe(1)
  await expect(sql.run(fail)).rejects.toBe(down)
  await expect(
    sql.run(() => {
      throw down
    }),
  ).rejects.toBe(down)
})

it.each<[PolicyOptions, RegExp]>([
  [{ deadlineMS: 1 } as PolicyOptions, /Did you mean `deadlineMs`/],
  [{ failureRatio: 2 }, /`failureRatio` must be/],
])('refuses options that cannot be', (options, message) => {
  expect(() => policy('sql', options)).toThrow(message)
  expect(() => policy('')).toThrow(/name/)
})

describe('repetition', () => {
  it('repeats only what it is told may be', async () => {
    let times = 0
    const sql = policy('sql', { retryBaseMs: 1 })
    const task = (): Promise<never> => {
      times++
      return fail()
    }
    await expect(sql.run(task)).rejects.toBe(down)
    expect(times).toBe(1)
    await expect(sql.run(task, { repeatable: true })).rejects.toBe(down)
    expect(times).toBe(4)
  })

  it('never repeats more than its budget', async () => {
    let times = 0
    const sql = policy('sql', { retryBaseMs: 1, retryMaxMs: 1, maxRetries: 10, minCalls: 100_000 })
    const task = (): Promise<never> => {
      times++
      return fail()
    }
    for (let i = 0; i < 100; i++) await expect(sql.run(task, { repeatable: true })).rejects.toBe(down)
    // A share of 0.1, and 10 that were saved. What the first call pays in is beyond the most that can be saved.
    expect(times).toBe(100 + 10 + 9)
  })

  it('does not repeat what an answer below 500 says', async () => {
    let times = 0
    const sdk = policy('sdk', { retryBaseMs: 1 })
    const task = (): never => {
      times++
      throw Object.assign(new Error('no such user'), { status: 404 })
    }
    await expect(sdk.run(task, { repeatable: true })).rejects.toThrow('no such user')
    expect(times).toBe(1)
  })
})

describe('hedging', () => {
  it('gives the first good answer, and ends the other', async () => {
    const sql = policy('sql', { hedgeAfterMs: 5 })
    const signals: AbortSignal[] = []
    const value = await sql.run(
      ({ number, signal }) => {
        signals.push(signal)
        return number === 1 ? never() : 'second'
      },
      { repeatable: true },
    )
    expect(value).toBe('second')
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    expect(sql.inFlight).toBe(0)
  })

  it('waits for the other when one fails', async () => {
    const sql = policy('sql', { hedgeAfterMs: 5, maxRetries: 0 })
    const first = pending<string>()
    const result = sql.run(({ number }) => (number === 1 ? first.promise : fail()), { repeatable: true })
    await sleep(30)
    first.resolve('first')
    expect(await result).toBe('first')
  })

  it('is paid from the budget', async () => {
    let times = 0
    const sql = policy('sql', { hedgeAfterMs: 1, retryBurst: 2, retryRatio: 0, deadlineMs: 100 })
    const task = (): Promise<never> => {
      times++
      return never()
    }
    await Promise.allSettled(Array.from({ length: 10 }, () => sql.run(task, { repeatable: true })))
    expect(times).toBe(12)
  })
})

describe('bulkhead', () => {
  it('runs so many at once, lets so many wait, and refuses the others at once', async () => {
    const sql = policy('sql', { maxConcurrent: 2, maxWaiting: 1 })
    const tasks = [pending<number>(), pending<number>(), pending<number>()]
    const results = tasks.map(({ promise }) => sql.run(() => promise))
    await expect(sql.run(() => 4)).rejects.toMatchObject({ code: 'ERR_SCALE_UPSTREAM_BUSY', status: 503 })
    expect([sql.inFlight, sql.waiting]).toEqual([2, 1])
    for (const [index, { resolve }] of tasks.entries()) resolve(index)
    expect(await Promise.all(results)).toEqual([0, 1, 2])
    expect([sql.inFlight, sql.waiting]).toEqual([0, 0])
  })

  it('says that it was busy, not late, when a call has waited until its deadline', async () => {
    const sql = policy('sql', { maxConcurrent: 1 })
    const first = pending<void>()
    const result = sql.run(() => first.promise)
    await expect(sql.run(() => 1, { deadlineMs: 20 })).rejects.toMatchObject({
      code: 'ERR_SCALE_UPSTREAM_BUSY',
    })
    expect(sql.waiting).toBe(0)
    first.resolve()
    await result
  })

  it('refuses who waits when the breaker opens', async () => {
    const sql = policy('sql', { maxConcurrent: 1, minCalls: 1 })
    const first = pending<void>()
    const results = [sql.run(() => first.promise), sql.run(() => 1), sql.run(() => 2)]
    const ended = Promise.allSettled(results)
    first.reject(down)
    expect((await ended).map((one) => (one as PromiseRejectedResult).reason.message)).toEqual([
      'down',
      expect.stringContaining('left alone'),
      expect.stringContaining('left alone'),
    ])
  })

  it('does not take refusals for failures', async () => {
    const sql = policy('sql', { maxConcurrent: 1, maxWaiting: 0, minCalls: 2 })
    const first = pending<void>()
    const result = sql.run(() => first.promise)
    await Promise.allSettled(Array.from({ length: 50 }, () => sql.run(() => 1)))
    expect(sql.state).toBe('closed')
    first.resolve()
    await result
  })
})

describe('breaker', () => {
  it('opens, refuses without trying, lets probes through and closes', async () => {
    const sql = policy('sql', { minCalls: 5, openMs: 50, probes: 2 })
    await Promise.allSettled(Array.from({ length: 5 }, () => sql.run(fail)))
    expect(sql.state).toBe('open')
    await expect(sql.run(() => 1)).rejects.toMatchObject({
      code: 'ERR_SCALE_UPSTREAM_UNAVAILABLE',
      headers: { 'Retry-After': '1' },
    })
    await expect.poll(() => sql.run(() => 1).catch(() => 0)).toBe(1)
    expect(sql.state).toBe('half-open')
    await sql.run(() => 1)
    expect(sql.state).toBe('closed')
  })

  it('is opened by silence, also of tasks that do not listen', async () => {
    const sql = policy('sql', { minCalls: 3, tryTimeoutMs: 10 })
    const results = await Promise.allSettled(Array.from({ length: 3 }, () => sql.run(never)))
    expect(results.map((one) => (one as PromiseRejectedResult).reason.code)).toEqual(
      Array(3).fill('ERR_SCALE_UPSTREAM_TIMEOUT'),
    )
    expect(sql.state).toBe('open')
    expect(sql.inFlight).toBe(0)
  })

  it('cannot be opened by callers in a hurry, or that leave', async () => {
    const sql = policy('sql', { minCalls: 2 })
    await Promise.allSettled(Array.from({ length: 20 }, () => sql.run(never, { deadlineMs: 1 })))
    await Promise.allSettled(
      Array.from({ length: 20 }, () => sql.run(never, { signal: AbortSignal.timeout(1) })),
    )
    expect(sql.state).toBe('closed')
  })
})

describe('end', () => {
  it('aborts the task with the reason, and throws without waiting for it', async () => {
    const caller = new AbortController()
    let inner!: AbortSignal
    const result = policy('sql').run(
      ({ signal }) => {
        inner = signal
        return never()
      },
      { signal: caller.signal },
    )
    caller.abort(new Error('enough'))
    await expect(result).rejects.toMatchObject({
      code: 'ERR_SCALE_CALL_ABORTED',
      cause: { message: 'enough' },
    })
    expect(inner.aborted).toBe(true)
  })

  it('does not begin for a caller that has left', async () => {
    let times = 0
    const result = policy('sql').run(() => ++times, { signal: AbortSignal.abort() })
    await expect(result).rejects.toMatchObject({ code: 'ERR_SCALE_CALL_ABORTED' })
    expect(times).toBe(0)
  })

  it('does not begin what is too late already', async () => {
    let times = 0
    const result = policy('sql').run(() => ++times, { deadlineMs: 0 })
    await expect(result).rejects.toMatchObject({ code: 'ERR_SCALE_UPSTREAM_TIMEOUT' })
    expect(times).toBe(0)
  })

  it('ends the pause before a repetition', async () => {
    const caller = new AbortController()
    const sql = policy('sql', { retryBaseMs: 3_600_000, retryMaxMs: 3_600_000, deadlineMs: 3_600_000 })
    const result = sql.run(fail, { repeatable: true, signal: caller.signal })
    setTimeout(() => caller.abort(), 10)
    await expect(result).rejects.toMatchObject({ code: 'ERR_SCALE_CALL_ABORTED' })
  })

  it('leaves no listener on the signal of its caller', async () => {
    const { signal } = new AbortController()
    const sql = policy('sql')
    for (let i = 0; i < 20; i++) await sql.run(() => 1, { signal })
    await sql.run(fail, { signal }).catch(() => {})
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('fallback', () => {
  it('is a value, or what a function makes of the failure', async () => {
    const sql = policy('sql')
    expect(await sql.run<number>(fail, { fallback: { value: 7 } })).toBe(7)
    expect(await sql.run<string>(fail, { fallback: (error) => (error as Error).message })).toBe('down')
    expect(await sql.run<number>(() => 1, { fallback: { value: 7 } })).toBe(1)
  })

  it('is the last good value of a store', async () => {
    const stale = new Map<string, number>()
    const sql = policy('sql')
    const options = { fallback: { stale, key: 'k' } }
    await expect(sql.run<number>(fail, options)).rejects.toBe(down)
    expect(await sql.run(() => 5, options)).toBe(5)
    expect(await sql.run<number>(fail, options)).toBe(5)
  })

  it('does without a store that fails', async () => {
    const stale = { get: fail, set: fail }
    const sql = policy('sql')
    expect(await sql.run(() => 5, { fallback: { stale, key: 'k' } })).toBe(5)
    await expect(sql.run<number>(fail, { fallback: { stale, key: 'k' } })).rejects.toBe(down)
  })

  it('has its time before the deadline, and no more', async () => {
    const sql = policy('sql', { deadlineMs: 400, fallbackMs: 200 })
    const startedAt = performance.now()
    await expect(sql.run<number>(never, { fallback: never })).rejects.toMatchObject({ status: 504 })
    expect(performance.now() - startedAt).toBeGreaterThan(395)
    expect(await sql.run<number>(never, { fallback: () => 1, deadlineMs: 50 })).toBe(1)
  })

  it('is not made for a caller that has left', async () => {
    let times = 0
    const signal = AbortSignal.abort()
    await expect(policy('sql').run<number>(never, { signal, fallback: () => ++times })).rejects.toThrow()
    expect(times).toBe(0)
  })
})

it('tells of each call how it ended', async () => {
  const messages: CallMessage[] = []
  const stop = callChannel.subscribe((message) => messages.push(message))
  const sql = policy('told', { retryBaseMs: 1, maxConcurrent: 1, maxWaiting: 0, minCalls: 4 })
  await sql.run(() => 1)
  await sql.run<number>(fail, { repeatable: true, fallback: { value: 1 } })
  await sql.run(never, { deadlineMs: 1 }).catch(() => {})
  await sql.run(() => 1, { signal: AbortSignal.abort() }).catch(() => {})
  stop()
  expect(messages).toMatchObject([
    { policy: 'told', outcome: 'ok', tries: 1, fallback: false },
    { outcome: 'failed', tries: 3, hedges: 0, fallback: true },
    { outcome: 'open', tries: 0 },
    { outcome: 'aborted', tries: 0 },
  ])
})
