import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { exportsOf, exportsStar, importedModules, membersOf, parseSource } from '../src/source.js'

const folder = mkdtempSync(join(tmpdir(), 'source-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

it('finds every way to name a module', () => {
  const path = file(
    'imports.ts',
    `import a from 'a'
import type { B } from 'b'
import 'c'
export { d } from 'd'
export * from 'e'
import f = require('f')
const g = await import('g')
const h = require('h')
let i: import('i').I
// import 'not'
const not = "import 'not'"
`,
  )
  const source = parseSource(path)
  expect(importedModules(source).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'])
  expect(exportsStar(source)).toBe(true)
})

it('follows names to their declarations and finds their docstrings', () => {
  file(
    'inner.ts',
    `/** Of a. */
export const a = 1
// not a docstring
export function b() {}
/** Of c, */
// with a line for a linter.
interface C { /** Of x. */ x?: number; y(): void }
/** Not of d. */

const other = 1
export class d {}
export type { C }
`,
  )
  const index = file(
    'index.ts',
    "import { d } from './inner.js'\nexport { a as renamed, b, type C } from './inner.js'\nexport { d }\nexport { z } from 'zod'\n",
  )
  const found = exportsOf(index)
  expect(found.map(({ name, declaration }) => [name, declaration?.doc])).toEqual([
    ['renamed', 'Of a.'],
    ['b', undefined],
    ['C', 'Of c,'],
    ['d', undefined],
    ['z', undefined],
  ])
  const { source, node } = found[2]!.declaration!
  expect(membersOf(source, node).map(({ name, optional, doc }) => ({ name, optional, doc }))).toEqual([
    { name: 'x', optional: true, doc: 'Of x.' },
    { name: 'y', optional: false, doc: undefined },
  ])
})

it('refuses what is not TypeScript', () => {
  expect(() => parseSource(file('broken.ts', 'const = 1'))).toThrow('broken.ts')
})
