import { testRedis } from '@scale/devkit/redis-server'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { slotOf } from '../src/index.js'
import type { RedisServer } from '../src/testing/index.js'

let server: RedisServer

beforeAll(async () => {
  server = await testRedis({ args: ['--cluster-enabled', 'yes'] })
})
afterAll(() => server?.stop())

const agree = async (key: string) => {
  expect(slotOf(key)).toBe(await server.command('CLUSTER', 'KEYSLOT', key))
}

// Of the specification; the braces of `foo{}{bar}` are no tag.
it.each(['', '123456789', '{user1000}.following', 'foo{}{bar}', 'foo{{bar}}zap', 'foo{bar}{zap}', 'foo{bar'])(
  'the slot of %j is where the server has it',
  agree,
)

it('the slot of any key is where the server has it', async () => {
  const pieces = fc.oneof(fc.constantFrom('{', '}', '{}'), fc.string({ unit: 'binary', maxLength: 3 }))
  const keys = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''))
  await fc.assert(fc.asyncProperty(keys, agree), { numRuns: 300 })
})
