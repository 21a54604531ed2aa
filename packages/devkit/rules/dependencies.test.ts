import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { tablesOf } from '../src/markdown.js'
import { catalog, type Manifest, projects, root } from '../src/workspace.js'

const names = Object.keys(catalog())
const table = tablesOf(readFileSync(join(root, 'docs/decisions/dependencies.md'), 'utf8'))[0]!.slice(1)
const rows = table.map(([name, why, licence]) => ({
  name: name!.replaceAll('`', ''),
  why: why!,
  licence: licence!,
}))

it('docs/decisions/dependencies.md says of every dependency why it is there', () => {
  expect(rows.map(({ name }) => name).sort()).toEqual(names.sort())
  expect(rows.filter(({ why }) => why === '')).toEqual([])
})

it('every entry of the catalog is used', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
  const used = [manifest, ...projects().map((project) => project.manifest)].flatMap(
    ({ dependencies, devDependencies }) => Object.keys({ ...dependencies, ...devDependencies }),
  )
  expect(names.filter((name) => !used.includes(name))).toEqual([])
})

it.each(rows)('the licence of $name is as stated', ({ name, licence }) => {
  const folders = [root, ...projects().map(({ folder }) => folder)]
  const path = folders.map((folder) => join(folder, 'node_modules', name, 'package.json')).find(existsSync)
  expect(path).toBeDefined()
  // Packages of before 2014 state it in a list.
  const stated = JSON.parse(readFileSync(path!, 'utf8')) as {
    license?: string
    licenses?: { type: string }[]
  }
  expect(stated.license ?? stated.licenses?.map(({ type }) => type).join()).toBe(licence)
})
