import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { pointerTo } from '../../src/mappers/schema-issues.js'
import { problemOf } from '../../src/problem.js'

const input = { name: 'hunter2-name', age: 'hunter2-age', tags: ['ok', 7_654_321], extra: 'hunter2-extra' }

interface Shown {
  pointer: string
  detail: string
}

function errorsOf(thrown: unknown): Shown[] {
  const problem = problemOf(thrown)
  expect(problem).toMatchObject({ status: 422, code: 'ERR_SCALE_INVALID_INPUT' })
  const [[name, errors]] = problem.extensions as [[string, Shown[]]]
  expect(name).toBe('errors')
  expect(JSON.stringify(problem)).not.toMatch(/hunter2|7654321/)
  return errors
}

function thrownBy(parse: () => unknown): unknown {
  try {
    parse()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

it('shows what zod found, without what zod received', () => {
  const schema = z.object({
    name: z.string().max(3, 'A name has at most 3 letters.'),
    age: z.number(),
    tags: z.array(z.string()),
  })
  expect(errorsOf(thrownBy(() => schema.parse(input)))).toEqual([
    { pointer: '#/name', detail: 'A name has at most 3 letters.' },
    { pointer: '#/age', detail: expect.stringContaining('expected number') },
    { pointer: '#/tags/1', detail: expect.stringContaining('expected string') },
  ])
  const strict = z.strictObject({ a: z.enum(['x', 'y']) })
  const thrown = thrownBy(() => strict.parse({ a: 'hunter2', hunter2: 1 }))
  expect(errorsOf(thrown).map(({ pointer }) => pointer)).toEqual(['#/a', '#'])
})

it('shows what valibot expected, not its message, which quotes', () => {
  const schema = v.object({ name: v.pipe(v.string(), v.maxLength(3)), age: v.number() })
  expect(errorsOf(thrownBy(() => v.parse(schema, input)))).toEqual([
    { pointer: '#/name', detail: 'Expected <=3.' },
    { pointer: '#/age', detail: 'Expected number.' },
  ])
})

it('shows what arktype expected, not its message, which quotes', () => {
  const errors = type({ name: 'string <= 3', age: 'number' })(input)
  expect(errorsOf(errors)).toEqual([
    { pointer: '#/age', detail: 'Expected a number.' },
    { pointer: '#/name', detail: 'Expected at most length 3.' },
  ])
})

it('shows of a library that it does not know only the place', () => {
  const issues = [{ message: 'must not be hunter2', path: [{ key: 'a/b' }, '~', 0, 'ü %'] }, { message: 'x' }]
  expect(errorsOf({ issues })).toEqual([
    { pointer: '#/a~1b/~0/0/%C3%BC%20%25', detail: 'Not valid.' },
    { pointer: '#', detail: 'Not valid.' },
  ])
})

it('lists at most 100 issues', () => {
  const issues = Array.from({ length: 5_000 }, (_, index) => ({ message: 'x', path: [index] }))
  expect(errorsOf({ issues })).toHaveLength(100)
})

it.each([[[]], [['x']], [[{ message: 1 }]], ['text'], [{ length: 1, 0: { message: 'x' } }]])(
  'does not take %j for issues',
  (issues) => {
    expect(problemOf({ issues }).status).toBe(500)
  },
)

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
