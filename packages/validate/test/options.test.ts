import { InvalidOption } from '@scale/core'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { validate } from '../src/index.js'

const query = z.object({})

it.each<[object, RegExp]>([
  [{}, /at least one schema/],
  [{ status: 400 }, /at least one schema/],
  [{ query, boddy: query }, /unknown option `boddy`. Did you mean `body`/],
  [{ query: {} }, /`query` must be a Standard Schema/],
  [{ body: 'string' }, /`body` must be a Standard Schema/],
  [{ query: { '~standard': { version: 2, validate: () => ({}) } } }, /`query` must be a Standard Schema/],
  [{ response: {} }, /`response` must be/],
  [{ response: { 99: query } }, /`response` must be/],
  [{ response: { '6XX': query } }, /`response` must be/],
  [{ response: { 200: {} } }, /`response` must be/],
  [{ query, status: 418 }, /`status` must be 400 or 422/],
  [{ query, maxIssues: 0 }, /`maxIssues`/],
  [{ query, bodyTypes: [] }, /`bodyTypes`/],
  [{ query, bodyTypes: ['json'] }, /`bodyTypes`/],
  [{ query, bodyTypes: ['application/json; charset=utf-8'] }, /`bodyTypes`/],
  [{ query, maxBodyDepth: 0 }, /`maxBodyDepth`/],
  [{ query, duplicates: 'merge' }, /`duplicates`/],
  [{ query, queryArrays: 'tags' }, /`queryArrays`/],
  [{ query, maxQueryBytes: 0 }, /`maxQueryBytes`/],
  [{ query, maxQueryParameters: 1.5 }, /`maxQueryParameters`/],
  [{ query, responseMode: 'warn' }, /`responseMode`/],
])('%j is refused', (options, message) => {
  expect(() => validate(options as never)).toThrow(InvalidOption)
  expect(() => validate(options as never)).toThrow(message)
})
