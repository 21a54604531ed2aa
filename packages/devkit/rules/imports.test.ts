import { readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tablesOf } from '../src/markdown.js'
import { exportsStar, importedModules, parseSource } from '../src/source.js'
import { filesUnder, fromRoot, type Project, publishedPackages, root } from '../src/workspace.js'

// docs/architecture.md is the map: its table says who may import whom, and these tests hold the sources to it.

const map = new Map(importTable())

function importTable(): [name: string, mayImport: string[]][] {
  const markdown = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
  const table = tablesOf(markdown).find(([header]) => header?.includes('may import'))
  if (table === undefined) throw new Error('docs/architecture.md has no table with a column `may import`')
  const column = table[0]!.indexOf('may import')
  return table.slice(1).map((row) => [namesIn(row[0]!)[0]!, namesIn(row[column]!)])
}

function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
}

function sourcesOf({ folder }: Project): string[] {
  return filesUnder(join(folder, 'src'), (path) => /\.[cm]?tsx?$/.test(path))
}

/** `@scale/redis/testing` → `@scale/redis` */
function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

it('the map names every published package and nothing else', () => {
  expect([...map.keys()].sort()).toEqual(
    publishedPackages()
      .map(({ manifest }) => manifest.name)
      .sort(),
  )
})

/** What the build of a package has in itself, by `bundled: ['jose']` in its `tsup.config.ts`: no user installs it. */
function bundledBy({ folder, manifest }: Project): Record<string, string> {
  const [, names = ''] =
    /bundled: \[([^\]]*)\]/.exec(readFileSync(join(folder, 'tsup.config.ts'), 'utf8')) ?? []
  const { devDependencies = {} } = manifest
  return Object.fromEntries(
    names.split(',').flatMap((name) => {
      const bare = name.replace(/['\s]/g, '')
      return bare in devDependencies ? [[bare, devDependencies[bare]!]] : []
    }),
  )
}

describe.each(publishedPackages())('$path', (project) => {
  const { folder, manifest } = project
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies, ...bundledBy(project) }

  it('has sources to look at', () => {
    expect(sourcesOf(project)).not.toEqual([])
  })

  it('imports only what the map allows and its package.json declares', () => {
    const allowed = map.get(manifest.name) ?? []
    const wrong = sourcesOf(project).flatMap((path) =>
      importedModules(parseSource(path))
        .filter((specifier) => !isAllowed(path, specifier))
        .map((specifier) => `${fromRoot(path)} imports ${specifier}`),
    )
    expect(wrong).toEqual([])

    function isAllowed(path: string, specifier: string): boolean {
      if (specifier.startsWith('node:')) return true
      if (specifier.startsWith('.')) {
        return !relative(join(folder, 'src'), join(dirname(path), specifier)).startsWith('..')
      }
      const name = packageOf(specifier)
      return allowed.includes(name) && name in declared
    }
  })

  it('depends at run time only on what the map allows', () => {
    const allowed = map.get(manifest.name) ?? []
    expect(
      Object.keys(declared).filter((name) => !allowed.includes(name) && !name.startsWith('@types/')),
    ).toEqual([])
  })

  it('names what it exports, one by one', () => {
    expect(sourcesOf(project).filter((path) => exportsStar(parseSource(path)))).toEqual([])
  })

  it('has no drawer for everything', () => {
    const drawers = /^(utils?|helpers?|common|misc|shared)\.[cm]?tsx?$/
    expect(sourcesOf(project).filter((path) => drawers.test(basename(path)))).toEqual([])
  })

  it('is imported by its name in examples, never by a path', () => {
    const examples = filesUnder(join(root, 'examples'), (path) => /\.[cm]?tsx?$/.test(path))
    const wrong = examples.filter((path) =>
      importedModules(parseSource(path)).some(
        (specifier) => specifier.startsWith('.') && join(dirname(path), specifier).startsWith(`${folder}/`),
      ),
    )
    expect(wrong).toEqual([])
  })
})
