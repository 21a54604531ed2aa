import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { changes } from './changes.js'

// Makes each of the changes to the sources, one at a time, and sees whether the tests notice. What they do not notice is
// printed, and the process fails. `pnpm mutations [part of a name]…`

const src = new URL('../../src/', import.meta.url)
const root = fileURLToPath(new URL('../../../../', import.meta.url))
const parts = process.argv.slice(2)
const isWanted = (name: string): boolean => parts.length === 0 || parts.some((part) => name.includes(part))
const unnoticed: string[] = []

for (const { name, file, from, to, tests } of changes.filter((one) => isWanted(one.name))) {
  const path = new URL(file, src)
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${name}: ${file} has changed, and the list has not.`)
  writeFileSync(
    path,
    text.replace(from, () => to),
  )
  try {
    const args = [
      'vitest',
      'run',
      '--config',
      'vitest.workspace.ts',
      '--project',
      'session',
      '--bail=1',
      '--maxWorkers=1',
    ]
    const { status, signal } = spawnSync('npx', [...args, ...tests], { cwd: root, timeout: 120_000 })
    if (signal !== null) throw new Error(`${name}: the tests did not end.`)
    console.log(`${status === 0 ? '✗ not noticed' : '✓ noticed'}: ${name}`)
    if (status === 0) unnoticed.push(name)
  } finally {
    writeFileSync(path, text)
  }
}
if (unnoticed.length > 0) process.exitCode = 1
