import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { snippetsOf } from '../src/markdown.js'
import {
  catalog,
  type Entry,
  filesUnder,
  projects,
  publishedPackages,
  repositoryFiles,
  root,
} from '../src/workspace.js'

const TOP_LEVEL = [
  ...['packages', 'examples', 'docs', 'package.json', 'pnpm-workspace.yaml', 'tsconfig.base.json'],
  ...['vitest.workspace.ts', 'CHANGELOG.md', 'README.md', 'LICENSE', 'pnpm-lock.yaml'],
]

it('the top level has what it should have, dotfiles, and nothing else', () => {
  const names = new Set(repositoryFiles().map((path) => path.split('/')[0]!))
  expect([...names].filter((name) => !name.startsWith('.')).sort()).toEqual([...TOP_LEVEL].sort())
})

it('the README names the two commands of a fresh clone, and CI runs the one for tests', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  expect(readme).toMatch(/^npx --yes pnpm dev\b/m)
  expect(readme).toMatch(/^npx --yes pnpm test\b/m)
  expect(readFileSync(join(root, '.ci/run'), 'utf8')).toMatch(/^npx --yes pnpm test /m)
})

it('all published packages carry one version', () => {
  expect(new Set(publishedPackages().map(({ manifest }) => manifest.version)).size).toBe(1)
})

/** Copied out of the repository, and installed by npm: it has versions of its own. */
const COPIED = 'examples/users-profile'

it.each(projects())('$path takes its versions from the catalog or the workspace', ({ path, manifest }) => {
  const { dependencies, devDependencies } = manifest
  if (path === COPIED) {
    const ours = Object.fromEntries(
      publishedPackages().map(({ manifest: { name, version } }) => [name, `^${version}`]),
    )
    for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect([name, range]).toEqual([name, { ...catalog(), ...ours }[name]])
    }
    return
  }
  const others = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, range]) => range !== 'catalog:' && range !== 'workspace:*',
  )
  expect(others).toEqual([])
})

describe.each(publishedPackages())('$path', ({ name, folder, path, manifest }) => {
  it.each(['README.md', 'src/index.ts', 'tsup.config.ts', 'tsconfig.json'])('has %s', (file) => {
    expect(existsSync(join(folder, file))).toBe(true)
  })

  it('has tests', () => {
    expect(filesUnder(join(folder, 'test'), (file) => file.endsWith('.test.ts'))).not.toEqual([])
  })

  it('has a README with an example in TypeScript', () => {
    const readme = readFileSync(join(folder, 'README.md'), 'utf8')
    expect(snippetsOf(readme).some(({ language }) => language === 'ts')).toBe(true)
  })

  it('says in package.json what a registry wants to know', () => {
    expect(manifest).toMatchObject({
      name: `@scale/${name}`,
      description: expect.stringMatching(/^\S.{19,}[^.\s]$/),
      keywords: expect.arrayContaining(['scale', 'express']),
      homepage: `https://github.com/scale-js/scale/tree/main/${path}#readme`,
      bugs: 'https://github.com/scale-js/scale/issues',
      license: 'MIT',
      type: 'module',
      sideEffects: false,
      engines: { node: '>=20.19' },
      repository: { type: 'git', url: 'git+https://github.com/scale-js/scale.git', directory: path },
      files: ['dist'],
      scripts: { build: 'tsup' },
      publishConfig: { access: 'public', provenance: true },
    })
  })

  it('is found under at least four words, each once', () => {
    const words = manifest.keywords as string[]
    expect(words.length).toBeGreaterThanOrEqual(4)
    expect(new Set(words).size).toBe(words.length)
    expect(words.filter((word) => !/^[a-z0-9-]+$/.test(word))).toEqual([])
  })

  it('exports the same entries in the workspace and when published', () => {
    const published = manifest.publishConfig?.exports ?? {}
    expect(withoutSources(manifest.exports ?? {})).toEqual(published)
    expect(Object.keys(published)).toEqual(expect.arrayContaining(['.', './package.json']))
  })

  it('exports for each entry its source, its module for `import`, and the build, in that order', () => {
    for (const [subpath, entry] of Object.entries(manifest.exports ?? {})) {
      if (subpath === './package.json') continue
      const { '@scale/source': source, ...published } = entry as Exclude<Entry, string>
      expect(Object.keys(entry)).toEqual(['@scale/source', 'import', 'default'])
      expect(existsSync(join(folder, source as string))).toBe(true)
      const built = (below: string): object => ({ types: `${below}.d.ts`, default: `${below}.js` })
      const name = (source as string).replace('./src/', '').replace(/\.ts$/, '')
      expect(published).toEqual({ import: built(`./dist/${name}`), default: built(`./dist/cjs/${name}`) })
    }
  })

  it('says where its build is to tools that do not read `exports`', () => {
    const { main, types, typesVersions } = manifest
    const { '.': root, './package.json': _, ...others } = manifest.publishConfig?.exports ?? {}
    const typesOf = (entry: Entry): unknown => (entry as { default?: { types: string } }).default?.types
    expect({ main, types }).toEqual({ main: './dist/cjs/index.js', types: typesOf(root!) })
    const paths = Object.entries(others).map(([subpath, entry]) => [subpath.slice(2), [typesOf(entry)]])
    expect(typesVersions).toEqual(paths.length === 0 ? undefined : { '*': Object.fromEntries(paths) })
  })

  it('takes the majors of Express and ioredis that are tested', () => {
    const tested: Record<string, string> = { express: '^4.21.0 || ^5.0.0', ioredis: '^5.4.0 || ^6.0.0' }
    const peers = manifest.peerDependencies ?? {}
    for (const peer of Object.keys(tested).filter((name) => name in peers)) {
      expect(peers[peer]).toBe(tested[peer])
    }
  })
})

function withoutSources(exports: Record<string, Entry>): Record<string, Entry> {
  return Object.fromEntries(
    Object.entries(exports).map(([subpath, entry]) => {
      if (typeof entry === 'string') return [subpath, entry]
      const { '@scale/source': _, ...published } = entry
      return [subpath, published]
    }),
  )
}

it('root and packages ship under one licence', () => {
  expect(readFileSync(join(root, 'LICENSE'), 'utf8')).toMatch(/^MIT License/)
})
