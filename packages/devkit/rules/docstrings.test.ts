import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Export, exportsOf, membersOf } from '../src/source.js'
import { fromRoot, publishedPackages } from '../src/workspace.js'

const entries = publishedPackages().flatMap(({ folder, manifest }) =>
  Object.entries(manifest.exports ?? {})
    .filter(([subpath]) => subpath !== './package.json')
    .map(([subpath, entry]) => ({
      name: join(manifest.name, subpath),
      path: join(folder, (entry as Record<string, string>)['@scale/source']!),
    })),
)

describe.each(entries)('$name', ({ path }) => {
  const ownExports = (): Export[] => exportsOf(path).filter(({ declaration }) => declaration !== undefined)

  it('documents every name it exports', () => {
    const own = ownExports()
    // Of several overloads one docstring is enough.
    const documented = new Set(own.filter(({ declaration }) => declaration?.doc).map(({ name }) => name))
    const missing = own.filter(({ name }) => !documented.has(name)).map(place)
    expect(missing).toEqual([])
  })

  it('documents every option', () => {
    const missing = ownExports()
      .filter(({ name }) => name.endsWith('Options'))
      .flatMap(({ name, declaration }) =>
        membersOf(declaration!.source, declaration!.node)
          .filter(({ doc }) => !doc)
          .map((member) => `${name}.${member.name}`),
      )
    expect(missing).toEqual([])
  })
})

function place({ name, declaration }: Export): string {
  return `${name} in ${fromRoot(declaration!.source.path)}`
}
