import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const require = createRequire(import.meta.url)

// With the newest TypeScript and Express 5 they are checked with the rest of the package.
it.each([
  [require.resolve('typescript/package.json'), 'tsconfig.express4.json'],
  [require.resolve('typescript59/package.json'), 'tsconfig.older.json'],
  [require.resolve('typescript54/package.json'), 'tsconfig.older.express4.json'],
])('handlers have their types: %s, %s', { timeout: 120_000 }, (compiler, project) => {
  const tsc = fileURLToPath(new URL('bin/tsc', `file://${compiler}`))
  const path = fileURLToPath(new URL(`types/${project}`, import.meta.url))
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', path], { encoding: 'utf8' })
  expect(stdout).toBe('')
  expect(status).toBe(0)
})
