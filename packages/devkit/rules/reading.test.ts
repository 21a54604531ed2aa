import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { linksOf, tablesOf } from '../src/markdown.js'
import { filesUnder, publishedPackages, repositoryFiles, root } from '../src/workspace.js'

// Pages that are lists have everything on them that there is. That their links are alive is in markdown.test.ts.

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const sources = publishedPackages()
  .flatMap(({ folder }) => filesUnder(join(folder, 'src'), (file) => file.endsWith('.ts')))
  .map((file) => readFileSync(file, 'utf8'))
const named = (pattern: RegExp): string[] => [
  ...new Set(sources.flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => name!))),
]

describe('docs/troubleshooting.md', () => {
  const rows = tablesOf(read('docs/troubleshooting.md')).flatMap((table) =>
    table.slice(1).map(([cell]) => cell!),
  )
  const codes = rows.flatMap((cell) => /^`(\w+)`$/.exec(cell)?.[1] ?? [])

  it('has a row for each warning of a process, and for no other', () => {
    const warnings = named(/(?:code: |\n\s+|\[)'(SCALE_[A-Z_]+)'/g)
    expect(codes.filter((code) => code.startsWith('SCALE_')).toSorted()).toEqual(warnings.toSorted())
  })

  it('has a row for each alert, and for no other', () => {
    const alerts = [...named(/alert: '(Scale\w+)'/g), 'ScaleSloBurnFast', 'ScaleSloBurnSlow']
    expect(codes.filter((code) => /^Scale[A-Z][a-z]/.test(code)).toSorted()).toEqual(alerts.toSorted())
  })
})

it('docs/questions.md has ten questions for each package that teams come from, each with a page', () => {
  const sections = read('docs/questions.md').split(/^## /m).slice(1)
  const counts = sections.map((section) => {
    const questions = section.split('\n').filter((line) => line.startsWith('1. '))
    return [section.split('\n')[0], questions.filter((line) => linksOf(line).length === 1).length]
  })
  expect(counts.map(([, count]) => count)).toEqual(sections.map(() => 10))
  const peers = repositoryFiles().flatMap((path) => /^docs\/migration\/([\w-]+)\.md$/.exec(path)?.[1] ?? [])
  const titles = sections.map((section) => section.split('\n')[0]!.toLowerCase()).join(' ')
  const isAsked = (peer: string): boolean => titles.includes(peer)
  expect(peers.filter((peer) => peer !== 'README' && !isAsked(peer))).toEqual([])
})
