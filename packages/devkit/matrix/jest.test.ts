import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { head, loadAndServe, optionalPeers } from '../packed/entries.js'
import { install } from '../packed/installation.js'
import { run } from '../src/run.js'

const babel = { '@babel/core': '^7.0.0', '@babel/preset-env': '^7.0.0' }

/** How the text of a test becomes what Jest runs. */
const ways = [
  { way: 'plain', file: 'load.test.js', code: head.require, config: { transform: {} } },
  { way: 'babel-jest', file: 'load.test.js', code: head.import, config: {} },
  {
    way: 'ts-jest',
    file: 'load.test.ts',
    code: `// @ts-nocheck\n${head.import}`,
    config: { preset: 'ts-jest' },
  },
]

describe.each([29, 30])('Jest %i', (major) => {
  let folder: string
  beforeAll(async () => {
    const jest = {
      jest: `^${major}.0.0`,
      'babel-jest': `^${major}.0.0`,
      'ts-jest': '^29.4.0',
      typescript: '~5.9.0',
    }
    const others = { ...optionalPeers, ...babel, ...jest }
    folder = await install({ express: 5, ioredis: 6, installer: 'npm' }, others)
    const options = { presets: [['@babel/preset-env', { targets: { node: 'current' } }]] }
    writeFileSync(join(folder, 'babel.config.json'), JSON.stringify(options))
    const compilerOptions = {
      module: 'commonjs',
      moduleResolution: 'node10',
      esModuleInterop: true,
      target: 'es2022',
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  }, 300_000)
  afterAll(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  it.each(ways)(
    '$way',
    async ({ way, file, code, config }) => {
      const below = join(folder, way)
      mkdirSync(below)
      writeFileSync(join(below, file), `${code}\n${loadAndServe}\ntest('loads and serves', serve)\n`)
      const options = { testEnvironment: 'node', roots: [`<rootDir>/${way}`], ...config }
      const args = ['jest', '--ci', '--rootDir', folder, '--config', JSON.stringify(options)]
      const { code: exit, output } = await run('npx', args, { cwd: folder })
      expect(exit, output).toBe(0)
      expect(output).toContain('1 passed')
    },
    120_000,
  )
})
