import { testRedis } from '@scale/devkit/redis-server'
import { expect, it } from 'vitest'
import type { RedisServer } from '../../src/testing/index.js'
import { startAll, stopAll } from '../../src/testing/several.js'

it('starts and stops all', async () => {
  const servers = await startAll(3, () => testRedis())
  expect(servers.map((server) => server.running)).toEqual([true, true, true])
  await stopAll(servers)
  expect(servers.map((server) => server.running)).toEqual([false, false, false])
})

it('leaves none when one does not start', async () => {
  const started: RedisServer[] = []
  const all = startAll(3, async (index) => {
    const server = await testRedis(index === 1 ? { args: ['--no-such-option', '1'] } : {})
    started.push(server)
    return server
  })
  await expect(all).rejects.toThrow(/did not start/)
  expect(started.map((server) => server.running)).toEqual([false, false])
})
