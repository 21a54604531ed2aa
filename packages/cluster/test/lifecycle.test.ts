import { createServer } from 'node:http'
import { describe, expect, test, vi } from 'vitest'
import { HealthMonitor } from '../src/worker/health.js'
import { fitKeepAlive } from '../src/worker/keep-alive.js'
import { LifecycleRegistry } from '../src/worker/lifecycle.js'

describe('lifecycle', () => {
  test('starts at once, stops by phase and in reverse order, and leaves none out', async () => {
    const lifecycle = new LifecycleRegistry()
    const calls: string[] = []
    const add = (
      name: string,
      phase: 'traffic' | 'data' | 'logs',
      stop: () => unknown = () => {},
    ): Promise<void> =>
      lifecycle.add(name, {
        phase,
        start: () => calls.push(`start ${name}`),
        stop: () => {
          calls.push(`stop ${name}`)
          return stop()
        },
      })
    await add('log', 'logs')
    await add('database', 'data')
    await add('redis', 'data', () => Promise.reject(new Error('no')))
    await add('stuck', 'data', () => new Promise(() => {}))
    await add('sockets', 'traffic')
    const report = await lifecycle.stop(200)
    expect(calls).toEqual([
      'start log',
      'start database',
      'start redis',
      'start stuck',
      'start sockets',
      'stop sockets',
      'stop stuck',
      'stop redis',
      'stop database',
      'stop log',
    ])
    expect(report.ran.map(({ name }) => name)).toEqual(['sockets', 'stuck', 'redis', 'database', 'log'])
    expect(report.failed).toEqual([
      { name: 'stuck', phase: 'data', reason: 'timeout' },
      { name: 'redis', phase: 'data', reason: 'error', error: new Error('no') },
    ])
  })

  test('a stop that is out of time sees its signal abort', async () => {
    const lifecycle = new LifecycleRegistry()
    let aborted = false
    await lifecycle.add('slow', {
      stopTimeoutMs: 20,
      stop: ({ signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            aborted = true
          })
        }),
    })
    await lifecycle.stop(10_000)
    expect(aborted).toBe(true)
  })

  test('what failed to start is stopped all the same', async () => {
    const lifecycle = new LifecycleRegistry()
    const stop = vi.fn()
    await expect(
      lifecycle.add('half', { start: () => Promise.reject(new Error('no')), stop }),
    ).rejects.toThrow('no')
    await lifecycle.stop(1_000)
    expect(stop).toHaveBeenCalledOnce()
  })

  test('wrong use is refused', async () => {
    const lifecycle = new LifecycleRegistry()
    await lifecycle.add('one', {})
    await expect(lifecycle.add('one', {})).rejects.toThrow('a name that is not taken')
    await expect(lifecycle.add('two', { phase: 'late' as never })).rejects.toThrow(
      "lifecycle.add('two'): `phase` must be one of 'traffic', 'work', 'data', 'telemetry', 'logs'",
    )
  })
})

describe('health', () => {
  const options = { intervalMs: 10, timeoutMs: 30, failureThreshold: 2 }
  const never = new AbortController().signal

  async function monitored(check: () => unknown, required = true) {
    const lifecycle = new LifecycleRegistry()
    await lifecycle.add('dependency', { check, required })
    const onChange = vi.fn()
    const health = new HealthMonitor(lifecycle, options, () => true, onChange)
    return { health, onChange }
  }

  test('starts when every required dependency has been up', async () => {
    let isUp = false
    const { health } = await monitored(() => isUp)
    const started = health.start(never)
    expect(health.ok).toBe(false)
    isUp = true
    await started
    expect(health.report()).toEqual([{ name: 'dependency', ok: true, required: true }])
    health.stop()
  })

  test('one that is not required holds nothing up', async () => {
    const { health } = await monitored(() => false, false)
    await health.start(never)
    expect(health.ok).toBe(true)
    expect(health.report()).toEqual([
      { name: 'dependency', ok: false, required: false, error: 'returned false' },
    ])
    health.stop()
  })

  test('one failure is forgiven, two are not, one success is enough', async () => {
    let outcomes: boolean[] = []
    let calls = 0
    const { health, onChange } = await monitored(() => {
      calls++
      return outcomes.shift() ?? true
    })
    await health.start(never)
    onChange.mockClear()
    outcomes = [false]
    const before = calls
    await vi.waitFor(() => expect(calls).toBeGreaterThan(before + 2))
    expect(onChange).not.toHaveBeenCalled()
    outcomes = [false, false]
    await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(2))
    expect(health.ok).toBe(true)
    health.stop()
  })

  test('a check that hangs fails by its time limit, and is not called again until it returns', async () => {
    let hangs = false
    let release = (): void => {}
    let calls = 0
    const { health } = await monitored(() => {
      calls++
      return hangs ? new Promise<void>((resolve) => (release = resolve)) : true
    })
    await health.start(never)
    hangs = true
    await vi.waitFor(() => expect(health.ok).toBe(false))
    const whileHanging = calls
    await new Promise((resolve) => setTimeout(resolve, 5 * options.timeoutMs))
    expect(calls).toBe(whileHanging)
    hangs = false
    release()
    await vi.waitFor(() => expect(health.ok).toBe(true))
    health.stop()
  })
})

describe('keep-alive limits', () => {
  test("Node's own is raised above the load balancer's, a shorter one set by hand is warned of", () => {
    const [untouched, short, long, endless] = [undefined, 30_000, 90_000, 0].map((keepAliveTimeout) => {
      const server = createServer()
      if (keepAliveTimeout !== undefined) server.keepAliveTimeout = keepAliveTimeout
      return server
    })
    const warnings = fitKeepAlive([untouched!, short!, long!, endless!], 60_000)
    expect(warnings).toEqual([
      expect.stringContaining('keepAliveTimeout of 30000 ms is not above the 60000 ms'),
    ])
    expect([untouched, short, long, endless].map((server) => server!.keepAliveTimeout)).toEqual([
      65_000, 30_000, 90_000, 0,
    ])
    expect(fitKeepAlive([short!], 0)).toEqual([])
  })
})
