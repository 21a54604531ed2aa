import fc from 'fast-check'
import { expect, it } from 'vitest'
import { addressBelow } from '../../src/http/address.js'
import { retryAfterMs } from '../../src/http/retry-after.js'

it.each([
  ['http://h/', '/a?b#c', 'http://h/a?b#c'],
  ['http://h/v1', '/a', 'http://h/v1/a'],
  ['http://h/v1/', '/a/../b', 'http://h/v1/b'],
  ['http://h/v1', '//evil/a', 'http://h/v1//evil/a'],
])('%s and %s is %s', (base, path, address) => {
  expect(addressBelow('api', new URL(base), path).href).toBe(address)
})

it.each(['a', '', 'http://evil/', '//evil/a', '/../a', '/%2e%2e/a', '/..', '\\\\evil', '/a/../../v2'])(
  '%s does not leave the base',
  (path) => {
    const base = new URL('http://h/v1')
    try {
      expect(addressBelow('api', base, path).href).toMatch(/^http:\/\/h\/v1\//)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_SCALE_FOREIGN_ADDRESS' })
    }
  },
)

it('never leaves the base, whatever a client puts into a path (generated)', () => {
  const part = fc.constantFrom('/', '\\', '.', '..', '%2e', '@', ':', 'evil', '?', '#', '\t', ' ', 'é', '//')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.constantFrom('', '/v1', '/v1/'), (parts, root) => {
      const base = new URL(`https://host:81${root}`)
      const path = `/${parts.join('')}`
      try {
        const address = addressBelow('api', base, path)
        expect(address.origin).toBe(base.origin)
        expect(address.pathname.startsWith(root === '' ? '/' : '/v1/')).toBe(true)
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_SCALE_FOREIGN_ADDRESS' })
      }
    }),
    { numRuns: 1_000 },
  )
})

it.each([
  [null, 0],
  ['3', 3_000],
  ['0', 0],
  ['-1', 0],
  ['soon', 0],
  ['Thu, 01 Jan 1970 00:01:00 GMT', 50_000],
  ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
])('Retry-After %s is %i ms', (value, ms) => {
  expect(retryAfterMs(value, 10_000)).toBe(ms)
})
