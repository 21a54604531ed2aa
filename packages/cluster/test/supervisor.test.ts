import { afterEach, expect, test, vi } from 'vitest'
import { resolveClusterOptions } from '../src/options.js'
import { reload } from '../src/primary/reload.js'
import { heartbeat, World } from './invented-world.js'

// What random histories of the supervisor do not reach often enough, at the shipped defaults.

const options = resolveClusterOptions({ start: () => [], log: () => {} }, false)
let world: World

afterEach(async () => {
  world.supervisor.halt()
  vi.useRealTimers()
  await world.supervisor.distribution.close()
})

async function started(places: number, memoryBytes?: number): Promise<World> {
  vi.useFakeTimers()
  world = new World(options, false, memoryBytes)
  world.bootsAtOnce = true
  world.supervisor.addPlaces(places)
  await pass(0)
  return world
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
}

test('a place is not given a third process while the one before last drains', async () => {
  const { supervisor } = await started(1)
  const [place] = supervisor.places
  world.end = 'hangs'
  for (let round = 0; round < 2; round++) world.change(supervisor.inTurn(() => place!.replace(0)))
  await pass(10_000)
  expect(world.alive.map(({ isDraining }) => isDraining)).toEqual([true, false])
  await pass(2 * options.drain.timeoutMs)
  expect(world.processes).toHaveLength(3)
  expect(place!.current?.pid).toBe(world.processes[2]!.pid)
})

test('a canary that loses a dependency is told to go, the old one is not', async () => {
  const { supervisor } = await started(1)
  world.end = 'hangs'
  const replaced = supervisor.places[0]!.replace(5_000).catch((error: Error) => error.message)
  await pass(1_000)
  world.processes[1]!.says({ type: 'health', ok: false, checks: [] })
  await pass(100)
  expect(await replaced).toBe('worker 1 lost a dependency as a canary')
  expect(world.alive.map(({ isDraining }) => isDraining)).toEqual([false, true])
})

test('a place that failed too often is held, and is not when it is back', async () => {
  const { supervisor } = await started(1)
  world.bootsAtOnce = false
  const [place] = supervisor.places
  for (let failure = 1; failure <= options.breaker.exits; failure++) {
    world.alive[0]!.end(1, null)
    await pass(failure < options.breaker.exits ? options.respawn.maxMs : 0)
  }
  expect(place!.isHeld).toBe(true)
  world.bootsAtOnce = true
  await pass(options.breaker.openMs + 1)
  expect(place!.isHeld).toBe(false)
  expect(
    world.events.filter(({ type }) => type === 'breaker').map((event) => 'state' in event && event.state),
  ).toEqual(['open', 'closed'])
})

test('a place that is taken away does not hold up the first boot', async () => {
  const { supervisor } = await started(0)
  world.bootsAtOnce = false
  supervisor.addPlaces(2)
  world.processes[0]!.boots()
  await pass(0)
  expect(supervisor.isBooted).toBe(false)
  world.change(supervisor.scale(() => 1))
  await pass(0)
  expect(supervisor.isBooted).toBe(true)
})

test('a worker with an uncaught error has lost its place before it has ended', async () => {
  const { supervisor } = await started(1)
  world.processes[0]!.says({ type: 'failing' })
  expect(supervisor.places[0]!.state).toBe('waiting')
  await pass(options.respawn.baseMs)
  expect(world.alive).toHaveLength(2)
  expect(supervisor.places[0]!.state).toBe('serving')
})

test('an app that has started once is not given up, however often its workers fail', async () => {
  await started(2)
  world.bootsAtOnce = false
  for (let failure = 0; failure < 20; failure++) {
    for (const process of world.alive) process.end(1, null)
    await pass(options.breaker.openMs)
  }
  expect(world.gaveUp).toBeUndefined()
  expect(world.alive).toHaveLength(2)
})

test.each([
  { workers: 'four and a half', memoryBytes: 450, mostAtOnce: 4 },
  { workers: 'five', memoryBytes: 500, mostAtOnce: 5 },
  { workers: 'less than those that are there', memoryBytes: 150, mostAtOnce: 4 },
  { workers: 'any number', memoryBytes: undefined, mostAtOnce: 6 },
])(
  'a reload of three whose clients hold on, in memory for $workers: at most $mostAtOnce at once',
  async ({ memoryBytes, mostAtOnce }) => {
    const { supervisor } = await started(3, memoryBytes)
    const weigh = (): void => {
      for (const process of world.alive) {
        if (process.isReady)
          process.says({ type: 'heartbeat', heartbeat: { ...heartbeat, rssBytes: 100, requests: 0 } })
      }
    }
    weigh()
    world.end = 'hangs'
    const done = supervisor.inTurn(() => reload(supervisor, 1_000, () => {}))
    let most = 0
    for (let halfSecond = 0; halfSecond < 300; halfSecond++) {
      await pass(500)
      weigh()
      most = Math.max(most, world.alive.length)
    }
    expect(most).toBe(mostAtOnce)
    expect(await done).toMatchObject({ replaced: 3 })
  },
)
