import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './workspace.js'

/** A change to the sources that a test has to notice. */
export interface Change {
  name: string
  /** Below `src`. */
  file: string
  from: string
  to: string
  /** Which test files, by a part of their names; together they have to fail. */
  tests: readonly string[]
}

const TIMEOUT_MS = 180_000

/**
 * Makes each of the changes to the sources of a package, one at a time, and sees whether its tests notice. What they do not
 * notice is printed, and the process fails. Parts of names as arguments choose among the changes.
 *
 * @param name  folder of the package, which is its test project too
 * @throws {Error} a source has changed and the list has not, or the tests did not end: that is not noticing
 */
export function runMutations(name: string, changes: readonly Change[]): void {
  const parts = process.argv.slice(2)
  const wanted = changes.filter((one) => parts.length === 0 || parts.some((part) => one.name.includes(part)))
  const unnoticed = wanted.filter((change) => !isNoticed(name, change))
  if (unnoticed.length > 0) process.exitCode = 1
}

function isNoticed(project: string, { name, file, from, to, tests }: Change): boolean {
  const path = join(root, 'packages', project, 'src', file)
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${name}: ${file} has changed, and the list has not.`)
  writeFileSync(
    path,
    text.replace(from, () => to),
  )
  try {
    const args = `vitest run --config vitest.workspace.ts --project ${project} --bail=1 --maxWorkers=1`.split(
      ' ',
    )
    const { status, signal } = spawnSync('npx', [...args, ...tests], { cwd: root, timeout: TIMEOUT_MS })
    if (signal !== null) throw new Error(`${name}: the tests did not end.`)
    console.log(`${status === 0 ? '✗ not noticed' : '✓ noticed'}: ${name}`)
    return status !== 0
  } finally {
    writeFileSync(path, text)
  }
}
