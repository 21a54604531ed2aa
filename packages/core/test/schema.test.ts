import { describe, expect, it } from 'vitest'
import { type Schema, standardSchema } from '../src/index.js'

const props: Schema['~standard'] = { version: 1, vendor: 'test', validate: (value) => ({ value }) }

describe('standardSchema', () => {
  it('takes an object or a function that can validate', () => {
    expect(standardSchema({ '~standard': props })).toBeUndefined()
    expect(standardSchema(Object.assign(() => {}, { '~standard': props }))).toBeUndefined()
  })
  it.each([null, 1, 'schema', {}, { '~standard': null }, { '~standard': { version: 1 } }])(
    'says what %j is not',
    (value) => {
      expect(standardSchema(value)).toMatch(/Standard Schema/)
    },
  )
})
