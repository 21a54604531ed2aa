import { getEventListeners } from 'node:events'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { afterEach, describe, expect, expectTypeOf, it } from 'vitest'
import {
  type PoolOptions,
  pool,
  type TaskMessage,
  type ThreadMessage,
  type ThreadPool,
  taskChannel,
  threadChannel,
} from '../src/index.js'
import type * as Tasks from './fixtures/tasks.mjs'

const tasks = new URL('./fixtures/tasks.mjs', import.meta.url)

let open: ThreadPool<typeof Tasks>[] = []

afterEach(async () => {
  const signal = AbortSignal.abort()
  await Promise.all(open.map((one) => one.close({ signal })))
  open = []
})

async function start(options: PoolOptions = {}): Promise<ThreadPool<typeof Tasks>> {
  const one = pool<typeof Tasks>(tasks, { threads: 1, ...options })
  open.push(one)
  await one.ready()
  return one
}

describe('a task', () => {
  it('runs on a thread, and gives what it gives', async () => {
    const threads = await start()
    expect(await threads.run('double', 21)).toBe(42)
    expect(await threads.run('where', undefined)).toMatchObject({ isMainThread: false })
  })

  it('has the types of its function', async () => {
    const threads = await start()
    expectTypeOf(threads.run('double', 21)).resolves.toBeNumber()
    expectTypeOf(threads.run<'where'>)
      .parameter(0)
      .toEqualTypeOf<'where'>()
    // @ts-expect-error what it takes is a number
    await threads.run('double', '21')
    // @ts-expect-error no function
    await expect(threads.run('notATask', 1)).rejects.toThrow('exports no function notATask')
    // @ts-expect-error not there
    await expect(threads.run('toString', 1)).rejects.toThrow('exports no function toString')
  })

  it('throws what its function throws', async () => {
    const threads = await start()
    await expect(threads.run('fail', { message: 'too far' })).rejects.toThrow(RangeError)
    await expect(threads.run('fail', { message: 'too far', withFunction: true })).rejects.toThrow('too far')
    expect(await threads.run('double', 1)).toBe(2)
  })

  it('takes and gives buffers without a copy', async () => {
    const threads = await start()
    const array = new Uint8Array(1_000).fill(2)
    expect(await threads.run('sum', array, { transfer: [array.buffer] })).toBe(2_000)
    expect(array.byteLength).toBe(0)
    expect((await threads.run('fill', { bytes: 3, byte: 7 })) as Uint8Array).toEqual(
      new Uint8Array([7, 7, 7]),
    )
  })

  it('fails alone when something cannot be copied', async () => {
    const threads = await start()
    await expect(threads.run('double', (() => 1) as never)).rejects.toThrow(/could not be cloned/)
    await expect(threads.run('giveFunction', undefined)).rejects.toThrow(/could not be cloned/)
    expect(await threads.run('double', 1)).toBe(2)
    expect(threads.inFlight).toBe(0)
  })
})

describe('the queue', () => {
  it('refuses what is beyond it, at once', async () => {
    const threads = await start({ maxWaiting: 1 })
    const running = threads.run('spin', 100)
    const waiting = threads.run('double', 1)
    await expect(threads.run('double', 2)).rejects.toMatchObject({ code: 'ERR_SCALE_POOL_BUSY', status: 503 })
    expect([threads.inFlight, threads.waiting]).toEqual([1, 1])
    expect(await Promise.all([running, waiting])).toEqual(['done', 2])
  })

  it('serves the most important first, and refuses the least important', async () => {
    const threads = await start({ maxWaiting: 3 })
    const running = threads.run('spin', 50)
    const displaced = threads.run('note', 3, { priority: 3 })
    const results = [
      threads.run('note', 2, { priority: 2 }),
      threads.run('note', 1),
      threads.run('note', 0, { priority: 0 }),
    ]
    await expect(displaced).rejects.toMatchObject({ code: 'ERR_SCALE_POOL_BUSY' })
    await running
    expect(await results[0]).toEqual([0, 1, 2])
  })

  it('keeps ten thousand tasks through crashes: each is told of, once, and none that waited is lost', async () => {
    const threads = await start({ threads: 2, maxWaiting: 10_000 })
    const died: ThreadMessage[] = []
    const stop = threadChannel.subscribe((message) => message.event === 'died' && died.push(message))
    const killers = new Set([10, 500, 501, 502, 5_000, 9_999])
    const results = Array.from({ length: 10_000 }, (_, id) =>
      killers.has(id) ? threads.run('exit', 3) : threads.run('double', id),
    )
    const ended = await Promise.allSettled(results)
    stop()
    for (const [id, one] of ended.entries()) {
      if (killers.has(id)) expect(one).toMatchObject({ reason: { code: 'ERR_SCALE_TASK_CRASHED' } })
      else expect(one).toEqual({ status: 'fulfilled', value: 2 * id })
    }
    expect(died).toHaveLength(killers.size)
  })
})

describe('a thread that dies', () => {
  it.each([
    ['process.exit', 'exit', 7],
    ['an error that nothing caught', 'throwLater', undefined],
    ['memory', 'eatMemory', undefined],
  ] as const)('%s: the task is told, and the next one runs', async (_what, name, input) => {
    const threads = await start({ maxHeapBytes: 32 * 1_048_576 })
    const crashed = threads.run(name as 'exit', input as number)
    const next = threads.run('double', 4)
    await expect(crashed).rejects.toMatchObject({
      code: 'ERR_SCALE_TASK_CRASHED',
      status: 500,
      cause: expect.any(Error),
    })
    expect(await next).toBe(8)
  })
})

describe('an end', () => {
  /** How long after `end` the thread of a computation that would take a minute is gone. */
  async function stopped(end: (threads: ThreadPool<typeof Tasks>) => Promise<unknown>): Promise<number> {
    const threads = await start()
    const gone = new Promise<number>((resolve) => {
      const stop = threadChannel.subscribe(({ event }) => {
        if (event !== 'stopped') return
        stop()
        resolve(performance.now())
      })
    })
    await end(threads)
    const rejectedAt = performance.now()
    const tookMs = (await gone) - rejectedAt
    expect(await threads.run('double', 1)).toBe(2)
    return tookMs
  }

  it('stops the thread when its caller aborts', async () => {
    const tookMs = await stopped(async (threads) => {
      const caller = new AbortController()
      const task = threads.run('spin', 60_000, { signal: caller.signal })
      setTimeout(() => caller.abort(new Error('enough')), 50)
      await expect(task).rejects.toMatchObject({
        code: 'ERR_SCALE_TASK_ABORTED',
        cause: { message: 'enough' },
      })
    })
    // 50 on a machine that has nothing else to do.
    expect(tookMs).toBeLessThan(1_000)
  })

  it('stops the thread at the deadline', async () => {
    const tookMs = await stopped((threads) =>
      expect(threads.run('spin', 60_000, { deadlineMs: 50 })).rejects.toMatchObject({
        code: 'ERR_SCALE_TASK_TIMEOUT',
        status: 503,
      }),
    )
    expect(tookMs).toBeLessThan(1_000)
  })

  it('stops the thread when the client of its request leaves', async () => {
    await stopped(async (threads) => {
      let failure: unknown
      const app = express()
      app.get('/', (req, res) => {
        threads.run('spin', 60_000, { req }).then(String, (error) => {
          failure = error
          res.end()
        })
      })
      const server = app.listen(0)
      const client = request({ port: (server.address() as AddressInfo).port }).on('error', () => {})
      client.end()
      await expect.poll(() => threads.inFlight).toBe(1)
      client.destroy()
      await expect.poll(() => failure).toMatchObject({ code: 'ERR_SCALE_TASK_ABORTED' })
      server.close()
    })
  })

  it('counts the wait too, and does not begin what is too late', async () => {
    const threads = await start()
    const running = threads.run('spin', 200)
    await expect(threads.run('note', 1, { deadlineMs: 20 })).rejects.toMatchObject({
      code: 'ERR_SCALE_POOL_BUSY',
    })
    await running
    expect(await threads.run('note', 2)).toEqual([2])
  })

  it('leaves nothing on the signal of its caller', async () => {
    const threads = await start()
    const { signal } = new AbortController()
    await threads.run('double', 1, { signal })
    await threads.run('fail', { message: 'x' }, { signal }).catch(() => {})
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('does not begin for a caller that has left', async () => {
    const threads = await start()
    const left = threads.run('note', 1, { signal: AbortSignal.abort() })
    await expect(left).rejects.toMatchObject({ code: 'ERR_SCALE_TASK_ABORTED' })
    expect(await threads.run('note', 2)).toEqual([2])
  })
})

describe('close', () => {
  it('runs what it has, and takes no more', async () => {
    const threads = await start()
    const results = Array.from({ length: 5 }, () => threads.run('spin', 10))
    const closed = threads.close()
    await expect(threads.run('double', 1)).rejects.toMatchObject({
      code: 'ERR_SCALE_POOL_CLOSED',
      status: 503,
    })
    await closed
    expect(await Promise.all(results)).toEqual(Array(5).fill('done'))
  })

  it('ends what is left when it is told to', async () => {
    const threads = await start()
    const running = threads.run('spin', 60_000)
    const waiting = threads.run('double', 1)
    const ended = Promise.allSettled([running, waiting])
    await threads.close({ signal: AbortSignal.timeout(20) })
    expect((await ended).map((one) => (one as PromiseRejectedResult).reason.code)).toEqual([
      'ERR_SCALE_TASK_ABORTED',
      'ERR_SCALE_POOL_CLOSED',
    ])
  })
})

it('says why no thread can be started, and does not try without a pause', async () => {
  const died: ThreadMessage[] = []
  const stop = threadChannel.subscribe((message) => died.push(message))
  const threads = pool<typeof Tasks>(new URL('./fixtures/broken.mjs', import.meta.url), { threads: 1 })
  open.push(threads)
  const reason = { code: 'ERR_SCALE_THREAD_NOT_READY', cause: { message: 'cannot be loaded' } }
  await expect(threads.ready()).rejects.toMatchObject(reason)
  await expect(threads.run('double', 1, { deadlineMs: 500 })).rejects.toMatchObject({
    code: 'ERR_SCALE_POOL_BUSY',
    cause: reason,
  })
  stop()
  expect(died.length).toBeLessThan(6)
})

it('tells of each task how it ended', async () => {
  const messages: TaskMessage[] = []
  const stop = taskChannel.subscribe((message) => messages.push(message))
  const threads = await start({ name: 'told', maxWaiting: 0 })
  await threads.run('double', 1)
  await threads.run('fail', { message: 'x' }).catch(() => {})
  await Promise.allSettled([threads.run('exit', 1), threads.run('double', 1)])
  stop()
  expect(messages.map(({ task, outcome }) => [task, outcome])).toEqual([
    ['double', 'ok'],
    ['fail', 'failed'],
    ['double', 'busy'],
    ['exit', 'crashed'],
  ])
})

it.each([
  [{ threds: 1 }, /Did you mean `threads`/],
  [{ threads: 0 }, /`threads` must be/],
  [{ maxHeapBytes: 1 }, /`maxHeapBytes` must be/],
])('refuses %j', (options, message) => {
  expect(() => pool(tasks, options as PoolOptions)).toThrow(message)
})

it('refuses what is no file', () => {
  expect(() => pool(new URL('http://x/y.js'))).toThrow(/URL of a file/)
  expect(() => pool('./x.js' as never)).toThrow(/URL of a file/)
})
