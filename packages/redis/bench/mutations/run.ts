import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { changes } from './changes.js'

// Makes each of the changes to the sources, one at a time, and sees whether the tests notice. What they do not notice is
// printed, and the process fails. `pnpm mutations [part of a name]`

const src = new URL('../../src/', import.meta.url)
const root = fileURLToPath(new URL('../../../../', import.meta.url))
const [wanted = ''] = process.argv.slice(2)
const vitest = 'vitest run --config vitest.workspace.ts --project redis --bail=1 --maxWorkers=1'.split(' ')
const unnoticed: string[] = []

for (const { name, file, from, to, tests } of changes.filter((one) => one.name.includes(wanted))) {
  const path = new URL(file, src)
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${name}: ${file} has changed, and the list has not.`)
  writeFileSync(
    path,
    text.replace(from, () => to),
  )
  try {
    const { status } = spawnSync('npx', [...vitest, ...tests], { cwd: root, timeout: 180_000 })
    console.log(`${status === 0 ? '✗ not noticed' : '✓ noticed'}: ${name}`)
    if (status === 0) unnoticed.push(name)
  } finally {
    writeFileSync(path, text)
  }
}
if (unnoticed.length > 0) process.exitCode = 1
