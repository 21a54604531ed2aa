import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tablesOf } from '../src/markdown.js'
import { root } from '../src/workspace.js'

// docs/guides/redis.md says which commands a user of Redis needs for each package: exactly those that its sources send.

const guide = readFileSync(join(root, 'docs/guides/redis.md'), 'utf8')
const table = tablesOf(guide).find(([head]) => head?.[1] === 'commands')!
const documented = new Map(
  table
    .slice(1)
    .map(([name, commands]) => [
      /@scale\/([\w-]+)/.exec(name!)?.[1] ?? '',
      [...commands!.matchAll(/`([A-Z]+)`/g)].map(([, command]) => command!),
    ]),
)
const always = ['INFO', 'EVAL', 'EVALSHA', 'CLIENT', 'COMMAND', 'PING']
/** Sent only where a server has it, which none of those that are supported needs. */
const optional = ['INCREX']

function sent(name: string): string[] {
  const folder = join(root, 'packages', name, 'src')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('testing'),
  )
  const commands = new Set<string>()
  for (const file of files) {
    const text = readFileSync(join(folder, file), 'utf8')
    for (const [, command] of text.matchAll(
      /(?:\bredis\.p?call|\.call|\banswered)\(\s*(?:connection,\s*)?'([A-Za-z]+)'/g,
    )) {
      commands.add(command!.toUpperCase())
    }
  }
  return [...commands].filter((command) => !always.includes(command) && !optional.includes(command)).sort()
}

describe.each(['session', 'auth', 'rate-limit', 'cache', 'redis'])('@scale/%s', (name) => {
  it('needs the commands that the guide says, and no other', () => {
    expect([...documented.get(name)!].sort()).toEqual(sent(name))
  })
})

it('the user of the guide may send all of them, and nothing else', () => {
  const [, rules] = /^user app (.*)$/m.exec(guide)!
  const allowed = [...rules!.matchAll(/\+([a-z]+)/g)].map(([, command]) => command!.toUpperCase())
  const all = [
    'INFO',
    'EVAL',
    'EVALSHA',
    ...[...documented].filter(([name]) => name !== '').flatMap(([, list]) => list),
  ]
  expect(allowed.sort()).toEqual([...new Set(all)].sort())
})
