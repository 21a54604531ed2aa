import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import type { Schema } from '../../src/index.js'

interface Search {
  page: number
  tags?: string[] | undefined
}

/** The same three schemas in each library. */
export interface Library {
  name: string
  user: Schema<unknown, { name: string; age: number; email: string }>
  search: Schema<unknown, Search>
}

export const libraries: readonly Library[] = [
  {
    name: 'zod',
    user: z.object({ name: z.string().min(2), age: z.number().min(18), email: z.email() }),
    search: z.object({ page: z.coerce.number().int(), tags: z.array(z.string()).optional() }),
  },
  {
    name: 'valibot',
    user: v.object({
      name: v.pipe(v.string(), v.minLength(2)),
      age: v.pipe(v.number(), v.minValue(18)),
      email: v.pipe(v.string(), v.email()),
    }),
    search: v.object({
      page: v.pipe(v.string(), v.transform(Number), v.number(), v.integer()),
      tags: v.optional(v.array(v.string())),
    }),
  },
  {
    name: 'arktype',
    user: type({ name: 'string >= 2', age: 'number >= 18', email: 'string.email', '+': 'delete' }),
    search: type({ page: 'string.integer.parse', 'tags?': 'string[]' }),
  },
]

/** A schema that refuses the name `taken`, but only after a turn of the event loop. arktype has no async ones. */
export const asyncLibraries: readonly { name: string; free: Schema<unknown, { name: string }> }[] = [
  {
    name: 'zod',
    free: z.object({
      name: z.string().refine(async (name) => (await later(name)) !== 'taken', 'This name is taken.'),
    }),
  },
  {
    name: 'valibot',
    free: v.objectAsync({
      name: v.pipeAsync(
        v.string(),
        v.checkAsync(async (name) => (await later(name)) !== 'taken', 'This name is taken.'),
      ),
    }),
  },
]

function later<Value>(value: Value): Promise<Value> {
  return new Promise((resolve) => setImmediate(resolve, value))
}
