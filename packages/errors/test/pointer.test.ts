import fc from 'fast-check'
import { expect, it } from 'vitest'
import { pointerTo } from '../src/app-error/pointer.js'

it('writes pointers that RFC 6901 reads back', () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_$.:~/% ü-]{1,20}$/)
  fc.assert(
    fc.property(fc.array(fc.oneof(name, fc.nat())), (path) => {
      const segments = pointerTo(path).split('/').slice(1)
      const read = segments.map((part) =>
        decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'),
      )
      expect(read).toEqual(path.map(String))
    }),
  )
})

it('ends a pointer before what is no name', () => {
  expect(pointerTo(['a', '<script>', 'b'])).toBe('#/a')
  expect(pointerTo(['a', 'x'.repeat(65)])).toBe('#/a')
  expect(pointerTo([Symbol('s')])).toBe('#')
  expect(pointerTo(['\ud800'])).toBe('#')
})
