import { expect, test } from 'vitest'
import { freePort, startApp } from './app-process.js'
import { isSoak } from './time.js'

const MIB = 2 ** 20
/** Two workers each; the last of ten measurements is held against the second: by then all code has run and is compiled. */
const reloads = isSoak ? 500 : 10

test(`a primary that has replaced ${2 * reloads} workers holds what it held`, {
  timeout: 60_000 + reloads * 6_000,
}, async () => {
  const settings = { port: await freePort(), reloads, every: reloads / 10 }
  const app = await startApp(settings, { nodeArgs: ['--expose-gc'], fixture: 'recycled' })
  await app.until(() => app.of('holds').length === 10, 'last measurement', 30_000 + reloads * 6_000)
  const holds = app.of('holds') as unknown as {
    recycles: number
    heapUsed: number
    rss: number
    fds: number
  }[]
  for (const { recycles, heapUsed, rss, fds } of holds) {
    process.stdout.write(
      `${recycles} recycles: heap ${(heapUsed / MIB).toFixed(1)} MiB, resident ${(rss / MIB).toFixed(0)} MiB, ${fds} fds\n`,
    )
  }
  const [, second] = holds
  const last = holds.at(-1)!
  expect(last.fds).toBe(second!.fds)
  // 1 KiB for each worker that is gone would be twice as much over 1,000 of them.
  expect(last.heapUsed - second!.heapUsed).toBeLessThan(MIB / 2)
  expect(last.rss - second!.rss).toBeLessThan(16 * MIB)
  expect(await app.exited).toEqual({ code: 0, signal: null })
})
