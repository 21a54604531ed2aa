import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { anchorsOf, inlineCodeOf, linksOf } from '../src/markdown.js'
import { repositoryFiles, root } from '../src/workspace.js'

const documents = repositoryFiles().filter((path) => path.endsWith('.md'))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

describe.each(documents)('%s', (document) => {
  const text = read(document)

  it('links only to what is there', () => {
    expect(linksOf(text).filter((target) => !isAlive(document, target))).toEqual([])
  })

  it('names only files of this repository that are there', () => {
    const paths = inlineCodeOf(text).filter((code) =>
      /^(packages|examples|docs|\.ci|\.github|\.changeset)\/[\w./-]*$/.test(code),
    )
    const generated = ['docs/api']
    expect(paths.filter((path) => !generated.includes(path) && !existsSync(join(root, path)))).toEqual([])
  })
})

function isAlive(document: string, target: string): boolean {
  if (/^(https?:|mailto:)/.test(target)) return true
  const [path, anchor] = decodeURI(target).split('#', 2) as [string, string | undefined]
  const file = path === '' ? join(root, document) : join(root, dirname(document), path)
  if (!file.startsWith(root) || !existsSync(file)) return false
  if (anchor === undefined) return true
  return statSync(file).isFile() && anchorsOf(readFileSync(file, 'utf8')).has(anchor)
}

it('docstrings refer only to pages that are there', () => {
  const dead = repositoryFiles()
    .filter(
      (path) => /^(packages|examples)\/.*\.[cm]?tsx?$/.test(path) && !path.startsWith('packages/devkit/'),
    )
    .flatMap((path) =>
      [...read(path).matchAll(/\bdocs\/[\w/.-]+\.md(?:#[\w-]+)?/g)]
        .filter(([target]) => !isAlive('README.md', target))
        .map(([target]) => `${path}: ${target}`),
    )
  expect(dead).toEqual([])
})

describe('docs/errors.md', () => {
  const codes = new Set(
    repositoryFiles()
      .filter((path) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path) && !path.startsWith('packages/devkit/'))
      .flatMap((path) => [...read(path).matchAll(/\bERR_SCALE_[A-Z0-9_]*[A-Z0-9]/g)].map(([code]) => code)),
  )
  const sections = existsSync(join(root, 'docs/errors.md'))
    ? [...read('docs/errors.md').matchAll(/^## (?:`)?(ERR_SCALE_\w+)/gm)].map((match) => match[1]!)
    : []

  it('has a section for every code in the sources, and for no other', () => {
    expect(sections.toSorted()).toEqual([...codes].sort())
  })
})
