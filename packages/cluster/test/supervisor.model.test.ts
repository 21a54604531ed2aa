import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { resolveClusterOptions } from '../src/options.js'
import { reload } from '../src/primary/reload.js'
import { heartbeat, type InventedProcess, World } from './invented-world.js'

// The supervisor at the shipped defaults, its clock and its processes invented: whatever happens in whatever order, a place is
// never empty without a timer, there is at most one worker more than places, everything ends when it is told to, and when the world is well again
// every place serves.

afterEach(() => {
  vi.useRealTimers()
})

type Step = (world: World) => unknown

const one = fc.nat({ max: 7 })
/** A command to one of the processes that are alive and fit. */
const to = (
  fits: (process: InventedProcess) => boolean,
  does: (process: InventedProcess, world: World) => void,
) =>
  one.map(
    (index): Step =>
      (world) => {
        const able = world.alive.filter(fits)
        const chosen = able[index % Math.max(1, able.length)]
        if (chosen !== undefined) does(chosen, world)
      },
  )

const commands: Record<string, fc.Arbitrary<Step>> = {
  time: fc
    .oneof(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 100_000 }))
    .map((ms) => () => vi.advanceTimersByTimeAsync(ms)),
  boots: to(
    ({ isReady }) => !isReady,
    (process) => process.boots(),
  ),
  bootsUnwell: to(
    ({ isReady }) => !isReady,
    (process) => process.boots(false),
  ),
  crashes: to(
    () => true,
    (process) => process.end(1, null),
  ),
  isKilled: to(
    () => true,
    (process) => process.end(null, 'SIGKILL'),
  ),
  isMisconfigured: to(
    ({ isReady }) => !isReady,
    (process) => process.end(78, null),
  ),
  fails: to(
    ({ isHere }) => isHere,
    (process) => process.says({ type: 'failing' }),
  ),
  leaves: to(
    ({ isReady }) => isReady,
    (process) => process.says({ type: 'leaving', reason: 'SIGTERM' }),
  ),
  asksToStop: to(
    ({ isReady }) => isReady,
    (process) => process.says({ type: 'stop-asked', reason: 'SIGTERM' }),
  ),
  grows: to(
    ({ isReady }) => isReady,
    (process) => process.says({ type: 'heartbeat', heartbeat }),
  ),
  isWell: to(
    ({ isReady }) => isReady,
    (process) => process.says({ type: 'health', ok: true, checks: [] }),
  ),
  isUnwell: to(
    ({ isReady }) => isReady,
    (process) => process.says({ type: 'health', ok: false, checks: [] }),
  ),
  drains: to(
    ({ isDraining }) => isDraining,
    (process) => process.end(0, null),
  ),
  spawnFails: fc
    .tuple(fc.constantFrom('throws' as const, 'fails' as const), fc.integer({ min: 1, max: 7 }))
    .map(
      ([how, times]) =>
        (world: World) =>
          world.spawns.push(...Array<typeof how>(times).fill(how)),
    ),
  clientsHold: fc.constant((world: World) => {
    world.end = 'hangs'
  }),
  clientsLetGo: fc.constant((world: World) => {
    world.end = 'obeys'
  }),
  reloads: fc
    .integer({ min: 0, max: 5_000 })
    .map(
      (canaryMs) => (world: World) =>
        world.change(
          world.supervisor.inTurn(() =>
            reload(world.supervisor, canaryMs, (event) => world.events.push(event)),
          ),
        ),
    ),
  scales: fc.integer({ min: 1, max: 4 }).map((workers) => (world: World) => {
    if (world.mayScale) world.change(world.supervisor.scale(() => workers))
  }),
}

const history = fc.array(
  fc.oneof(
    ...Object.entries(commands).map(([name, steps]) => steps.map((step) => ({ step, toString: () => name }))),
  ),
  { minLength: 5, maxLength: 60 },
)

const options = resolveClusterOptions(
  { start: () => [], recycle: { maxRequests: 1_000 }, log: () => {} },
  false,
)

/** Lets everything happen that waits for nothing. */
async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

function expectInvariants({ supervisor, gaveUp, gaveUpLate, alive, mayScale }: World): void {
  // What has once started is not given up.
  expect(gaveUpLate).toBe(false)
  if (gaveUp !== undefined) return
  for (const place of supervisor.places) {
    if (place.state === 'waiting') expect(place.hasTimer).toBe(true)
    else expect(place.hasTimer).toBe(false)
  }
  const serving = [...supervisor.members].filter(({ state }) => state !== 'draining' && state !== 'exited')
  expect(serving.length).toBeLessThanOrEqual(supervisor.places.length + 1)
  // A place that was taken away and came back has the number of the one before.
  if (mayScale) return
  for (const { id } of supervisor.places) {
    expect(alive.filter(({ place, isDraining }) => place === id && isDraining).length).toBeLessThanOrEqual(1)
  }
}

test('the supervisor, through random histories', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      fc.boolean(),
      history,
      fc.boolean(),
      async (workers, isBooted, mayScale, steps, endsWell) => {
        vi.useFakeTimers()
        const world = new World(options, mayScale)
        const { supervisor } = world
        try {
          world.bootsAtOnce = isBooted
          supervisor.addPlaces(workers)
          await settle()
          world.bootsAtOnce = false
          for (const { step } of steps) {
            await step(world)
            await settle()
            expectInvariants(world)
          }
          world.spawns = []
          world.end = 'obeys'
          world.bootsAtOnce = true
          for (const process of world.alive) {
            if (process.isReady) process.says({ type: 'health', ok: true, checks: [] })
            else process.boots()
          }
          setInterval(() => {
            for (const process of world.alive)
              process.says({ type: 'heartbeat', heartbeat: { ...heartbeat, requests: 0 } })
          }, 5_000)
          if (endsWell && world.gaveUp === undefined) {
            // Drains, canaries, the pause of a place that failed too often, a replacement that is tried again.
            await vi.advanceTimersByTimeAsync(10 * 60_000)
            expectInvariants(world)
            for (const { state } of supervisor.places) expect(state).toBe('serving')
            expect(supervisor.isBooted).toBe(true)
          }
          supervisor.halt()
          for (const member of supervisor.members) void member.drain(0, options.drain.timeoutMs)
          await vi.advanceTimersByTimeAsync(2 * options.drain.timeoutMs)
          expect([...supervisor.members].map(({ state }) => state)).toEqual([])
          expect(world.alive).toEqual([])
          await Promise.all(world.changes)
          for (const { state } of supervisor.places) expect(state).toBe('closed')
        } finally {
          supervisor.halt()
          vi.useRealTimers()
          await supervisor.distribution.close()
        }
      },
    ),
    { numRuns: Number(process.env.FC_RUNS ?? 150) },
  )
})
