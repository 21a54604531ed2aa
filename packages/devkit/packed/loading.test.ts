import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../src/run.js'
import { entries, head, loadAndServe, optionalPeers } from './entries.js'
import { install } from './installation.js'

let folder: string
beforeAll(async () => {
  const jest = { jest: '^30.0.0', esbuild: '^0.28.0' }
  folder = await install({ express: 5, ioredis: 6, installer: 'npm' }, { ...optionalPeers, ...jest })
}, 240_000)
afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

describe('a package that is imported and required in one process', () => {
  it.each(entries)('%s is one', async (entry) => {
    const code = `
      import { createRequire } from 'node:module'
      const required = createRequire(import.meta.url)('${entry}')
      const imported = await import('${entry}')
      const names = Object.keys(required).filter((name) => name !== '__esModule').sort()
      const others = Object.keys(imported).filter((name) => name !== 'default' && name !== 'module.exports').sort()
      console.log(names.join() === others.join() && names.every((name) => imported[name] === required[name]))
      process.exit()`
    writeFileSync(join(folder, 'one.mjs'), code)
    expect((await run(process.execPath, ['one.mjs'], { cwd: folder })).output).toBe('true\n')
  })
})

it('loads in Jest, which cannot require an ES module', async () => {
  writeFileSync(
    join(folder, 'load.test.js'),
    `${head.require}\n${loadAndServe}\ntest('loads and serves', serve)\n`,
  )
  const { code, output } = await run('npx', ['jest', '--ci', '--rootDir', '.'], { cwd: folder })
  expect(code, output).toBe(0)
})

it.each(['require', 'import'] as const)('is bundled into one file, by %s', async (word) => {
  const file = `bundle.${word === 'require' ? 'cjs' : 'mjs'}`
  writeFileSync(
    join(folder, file),
    `${head[word]}\n${loadAndServe}\nserve().then(() => console.log('fine'))\n`,
  )
  const args = [file, '--bundle', '--platform=node', '--outfile=bundled/app.cjs', '--log-level=error']
  expect((await run('npx', ['esbuild', ...args], { cwd: folder })).output).toBe('')
  expect((await run(process.execPath, ['bundled/app.cjs'], { cwd: folder })).output).toBe('fine\n')
})
