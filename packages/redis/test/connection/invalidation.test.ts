import { setTimeout as sleep } from 'node:timers/promises'
import { testRedis } from '@scale/devkit/redis-server'
import { expect, it } from 'vitest'
import { createRedis, invalidationChannel } from '../../src/index.js'
import { startFaultProxy } from '../../src/testing/index.js'

it('a server that stays silent while the invalidation connection is made anew does not switch copies off for good', async () => {
  const server = await testRedis()
  const proxy = await startFaultProxy({ target: server })
  const client = createRedis(proxy.url)
  const channel = invalidationChannel(client)
  const stop = channel.watch({ prefixes: ['p:'], livenessMs: 400, onKey: () => {}, onLoss: () => {} })
  const age = (): number => channel.silentForMs(performance.now())
  await expect.poll(age, { timeout: 5_000 }).toBeLessThan(300)
  await proxy.set({ blackHole: true })
  const before = proxy.connections
  proxy.reset()
  await expect.poll(() => proxy.connections - before, { timeout: 5_000 }).toBeGreaterThanOrEqual(2)
  // What they say first is lost, so that they stay silent when the network is well again.
  await sleep(300)
  await proxy.clear()
  // Five seconds of silence, a second to connect, and a busy machine.
  await expect.poll(age, { timeout: 8_000 }).toBeLessThan(300)
  stop()
  client.disconnect()
  await proxy.close()
  await server.stop()
}, 30_000)
