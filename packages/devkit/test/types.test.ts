import { describe, expect, it } from 'vitest'
import { typeErrors } from '../src/typecheck.js'
import { projects } from '../src/workspace.js'

describe('tsc accepts sources, tests and benches', () => {
  it.each(projects())('of $path', async ({ folder }) => {
    expect(await typeErrors(folder)).toBe('')
  })
})
