import { expect, it } from 'vitest'
import { createCache, formatCacheStatus } from '../src/index.js'
import { deferred, until } from './until.js'

it('says in one member of Cache-Status how a value was come by', async () => {
  const cache = createCache({ jitterRatio: 0 })
  const gate = deferred<string>()
  const asked = [cache.getOrSetEntry('key', gate.loader), cache.getOrSetEntry('key', gate.loader)]
  await until(() => gate.calls === 1)
  gate.resolve('value')
  const [first, second] = await Promise.all(asked)
  expect(formatCacheStatus(first!)).toBe('scale; fwd=uri-miss; stored')
  expect(formatCacheStatus(second!)).toBe('scale; fwd=uri-miss; stored; collapsed')
  expect(formatCacheStatus(await cache.getOrSetEntry('key', () => ''), 'profile')).toMatch(
    /^profile; hit; ttl=(59|60); detail=l1$/,
  )
  expect(
    formatCacheStatus({ status: 'stale', layer: 'l2', ttlMs: -1_500, collapsed: false, stored: true }),
  ).toBe('scale; hit; ttl=-2; detail=l2')
  expect(
    formatCacheStatus({ status: 'miss', layer: undefined, ttlMs: 0, collapsed: false, stored: false }),
  ).toBe('scale; fwd=uri-miss')
})
