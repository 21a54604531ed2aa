import { readdirSync, readFileSync } from 'node:fs'
import { snippetsOf } from '@scale/devkit/markdown'
import { describe, expect, it } from 'vitest'
import { cases } from './cases.js'

const at = (path: string): URL => new URL(`../${path}`, import.meta.url)
const peers = readdirSync(at('src'))
const pageOf = (peer: string): string => readFileSync(at(`../../docs/migration/${peer}.md`), 'utf8')

describe.each(peers)('docs/migration/%s.md', (peer) => {
  it('shows the programs that the tests run', () => {
    const shown = snippetsOf(pageOf(peer)).flatMap(({ language, code }) => (language === 'js' ? [code] : []))
    const files = ['before', 'during', 'after']
      .map((name) => `${name}.js`)
      .filter((name) => readdirSync(at(`src/${peer}`)).includes(name))
    const programs = files.map((name) => readFileSync(at(`src/${peer}/${name}`), 'utf8'))
    expect(shown.map((code) => code.trim())).toEqual(programs.map((code) => code.trim()))
  })
})

it.each(cases)(
  'docs/migration/$peer.md names each difference that was seen, and no other',
  ({ peer, differs }) => {
    const [, table = ''] =
      /## What is otherwise\n\nThe same requests[^\n]*\n\n(.*?)\n\n/s.exec(pageOf(peer)) ?? []
    const rows = table
      .split('\n')
      .slice(2)
      .map((row) => row.split('|')[1]!.trim())
    expect(rows).toEqual(differs.map(({ row }) => row))
  },
)

it('every page has programs, and every program a page', () => {
  const pages = readdirSync(at('../../docs/migration')).filter((name) => name !== 'README.md')
  expect(pages.toSorted()).toEqual(peers.map((peer) => `${peer}.md`).toSorted())
})
