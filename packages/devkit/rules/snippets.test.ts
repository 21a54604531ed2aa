import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { snippetsOf } from '../src/markdown.js'
import { typeErrors } from '../src/typecheck.js'
import { filesUnder, fromRoot, projects, publishedPackages, root } from '../src/workspace.js'

// What a README shows in a fence of `ts` must compile by itself. It is compiled where its imports are installed: in
// its own package, and what stands in docs or in the root README in the example, which has every package.

const example = projects().find(({ name }) => name === 'users-profile')!
const isMarkdown = (path: string): boolean => path.endsWith('.md')

const places = [
  ...projects().map(({ folder, path }) => ({
    place: path,
    folder,
    documents: filesUnder(folder, isMarkdown),
  })),
  {
    place: 'docs and README.md',
    folder: example.folder,
    documents: [...filesUnder(join(root, 'docs'), isMarkdown), join(root, 'README.md')].filter(existsSync),
  },
]

/** Writes each snippet into a file of its own in which it keeps its line numbers. */
function extract(documents: string[], target: string): number {
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  let count = 0
  for (const document of documents) {
    const snippets = snippetsOf(readFileSync(document, 'utf8')).filter(({ language }) => language === 'ts')
    for (const { line, code } of snippets) {
      const name = `${fromRoot(document).replaceAll('/', '~')}~${line}.ts`
      writeFileSync(join(target, name), '\n'.repeat(line - 1) + code)
      count++
    }
  }
  writeFileSync(
    join(target, 'tsconfig.json'),
    JSON.stringify({
      extends: relative(target, join(root, 'tsconfig.base.json')),
      compilerOptions: { moduleDetection: 'force', declaration: false, isolatedDeclarations: false },
      include: ['*.ts'],
    }),
  )
  return count
}

/** `@scale/session/testing` → `@scale/session`; nothing for what Node has, or lies beside. */
function packagesOf(code: string): string[] {
  return [...code.matchAll(/\bfrom '((?:@[\w-]+\/)?[\w-][\w.-]*)[^':]*'/g)].map(([, name]) => name!)
}

const installedBy = (readme: string): string[] =>
  [...readme.matchAll(/\bnpm install ([^`\n]+)/g)].flatMap(([, names]) => names!.trim().split(' '))

describe.each(publishedPackages())('the README of $path', ({ folder }) => {
  const readme = readFileSync(join(folder, 'README.md'), 'utf8')
  const examples = snippetsOf(readme).filter(({ language }) => language === 'ts' || language === 'js')
  // Who reads it has an app of Express, and tests of some kind.
  const there = ['express', 'vitest']

  it('installs in its first line what its first example imports', () => {
    const [line = ''] = /^npm install .*$/m.exec(readme) ?? []
    const names = [...installedBy(line), ...there]
    expect(packagesOf(examples[0]!.code).filter((name) => !names.includes(name))).toEqual([])
  })

  it('says how to install what its other examples import', () => {
    const names = [...installedBy(readme), ...there]
    expect(examples.flatMap(({ code }) => packagesOf(code)).filter((name) => !names.includes(name))).toEqual(
      [],
    )
  })
})

describe.each(places.filter(({ documents }) => documents.length > 0))(
  '$place',
  ({ place, folder, documents }) => {
    it('shows TypeScript that compiles', async () => {
      const target = join(folder, '.cache/snippets', basename(place))
      const errors = extract(documents, target) === 0 ? '' : await typeErrors(target)
      expect(errors.replaceAll('~', '/')).toBe('')
    }, 180_000)
  },
)
