import { describe, expect, it } from 'vitest'
import { cases } from './auth0.js'

describe.each(Object.entries(cases))('%s', (_, named) => {
  it.each(Object.entries(named))('%s', async (_name, [expected, run]) => {
    expect(await run()).toBe(expected)
  })
})
