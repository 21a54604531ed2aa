import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { AppError, definedProblems, defineProblem } from '../src/index.js'
import { problemOf } from '../src/problem/problem.js'

const OutOfStock = defineProblem({
  type: 'https://example.com/problems/out-of-stock',
  title: 'Out of stock',
  status: 409,
  code: 'OUT_OF_STOCK',
  extensions: z.object({ sku: z.string(), available: z.number().default(0) }),
})

it('makes a class whose errors are of one kind', () => {
  const cause = new Error('below')
  const error = new OutOfStock('Only 3 are left.', {
    extensions: { sku: 'a', available: 3 },
    cause,
    retryAfterMs: 1,
  })
  expect(error).toBeInstanceOf(AppError)
  expect(error).toBeInstanceOf(OutOfStock)
  expect(error.name).toBe('OUT_OF_STOCK')
  expect(error.cause).toBe(cause)
  expect(problemOf(error)).toEqual({
    type: 'https://example.com/problems/out-of-stock',
    title: 'Out of stock',
    status: 409,
    code: 'OUT_OF_STOCK',
    detail: 'Only 3 are left.',
    headers: { 'Retry-After': '1' },
    extensions: [
      ['sku', 'a'],
      ['available', 3],
    ],
  })
})

it('takes what the schema makes of the extensions, and nothing else', () => {
  const given = { sku: 'a', password: 'hunter2' }
  expect(new OutOfStock(undefined, { extensions: given }).extensions).toEqual({ sku: 'a', available: 0 })
})

it('types the extensions', () => {
  // @ts-expect-error: `extensions` is missing
  expect(() => new OutOfStock('x')).toThrow('OUT_OF_STOCK')
  // @ts-expect-error: `sku` is no string
  expect(() => new OutOfStock('x', { extensions: { sku: 1 } })).toThrow('OUT_OF_STOCK')
  const Plain = defineProblem({ type: '/problems/plain', title: 'Plain', status: 400, code: 'PLAIN' })
  expect(new Plain().message).toBe('Plain')
  // @ts-expect-error: this kind has none
  expect(new Plain('x', { extensions: { a: 1 } }).extensions).toEqual({ a: 1 })
})

it('tells of wrong extensions where, not what', () => {
  const wrong = { sku: 'a', available: 'hunter2' } as unknown as { sku: string; available: number }
  expect(() => new OutOfStock('x', { extensions: wrong })).toThrow(
    expect.objectContaining({
      code: 'ERR_SCALE_PROBLEM_EXTENSIONS',
      status: 500,
      message: 'OUT_OF_STOCK: the extension members do not fit their schema: #/available.',
    }),
  )
})

it('takes a schema of any library, if it answers at once', () => {
  const common = { title: 'T', status: 400 as const }
  const Valibot = defineProblem({
    ...common,
    type: '/p/valibot',
    code: 'VALIBOT',
    extensions: v.object({ a: v.number() }),
  })
  expect(new Valibot('x', { extensions: { a: 1 } }).extensions).toEqual({ a: 1 })
  const Arktype = defineProblem({
    ...common,
    type: '/p/arktype',
    code: 'ARKTYPE',
    extensions: type({ a: 'number' }),
  })
  expect(new Arktype('x', { extensions: { a: 1 } }).extensions).toEqual({ a: 1 })
  const Late = defineProblem({
    ...common,
    type: '/p/late',
    code: 'LATE',
    extensions: z.object({ a: z.number().refine(async () => true) }),
  })
  expect(() => new Late('x', { extensions: { a: 1 } })).toThrow('must not be asynchronous')
})

describe('the registry', () => {
  it('lists what was defined', () => {
    expect(definedProblems()).toContain(OutOfStock.definition)
    expect(Object.isFrozen(OutOfStock.definition)).toBe(true)
  })

  it('takes the same definition twice, and no other with its code or type', () => {
    const one = { type: '/problems/one', title: 'One', status: 400 as const, code: 'ONE' }
    defineProblem(one)
    const before = definedProblems().length
    defineProblem({ ...one })
    expect(definedProblems()).toHaveLength(before)
    expect(() => defineProblem({ ...one, type: '/problems/two' })).toThrow(
      '`code` ONE stands for another problem',
    )
    expect(() => defineProblem({ ...one, code: 'TWO' })).toThrow(
      '`type` /problems/one stands for another problem',
    )
  })

  it.each([
    [{ type: 'out of stock' }, '`type` must be an absolute URI of its own, or a path'],
    [{ type: 'about:blank' }, '`type` must be an absolute URI of its own, or a path'],
    [{ type: 'out-of-stock' }, '`type` must be'],
    [{ title: '' }, '`title` must be a string'],
    [{ status: 200 }, '`status` must be an integer from 400 to 599, not 200'],
    [{ code: 'no spaces' }, '`code` must be'],
    [{ extensions: {} }, '`extensions` must be a schema that implements Standard Schema'],
    [{ titel: 'x' }, 'Did you mean `title`?'],
    [{ status: undefined }, '`status` is required'],
  ])('refuses %j', (wrong, message) => {
    const right = { type: '/p/wrong', title: 'Wrong', status: 400, code: 'WRONG' }
    expect(() => defineProblem({ ...right, ...wrong } as never)).toThrow(message)
  })
})
