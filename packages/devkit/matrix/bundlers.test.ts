import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { head, loadAndServe, optionalPeers } from '../packed/entries.js'
import { install } from '../packed/installation.js'
import { run } from '../src/run.js'

let folder: string
beforeAll(async () => {
  const tools = { webpack: '^5.0.0', 'webpack-cli': '^6.0.0', rollup: '^4.0.0' }
  const plugins = {
    '@rollup/plugin-node-resolve': '^16.0.0',
    '@rollup/plugin-commonjs': '^28.0.0',
    '@rollup/plugin-json': '^6.0.0',
  }
  const surroundings = { express: 5, ioredis: 6, installer: 'npm' } as const
  folder = await install(surroundings, { ...optionalPeers, ...tools, ...plugins })
}, 300_000)
afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

async function serves(file: string): Promise<void> {
  expect((await run(process.execPath, [file], { cwd: folder })).output).toBe('fine\n')
}

const main = `${loadAndServe}\nserve().then(() => console.log('fine'))\n`

it.each(['require', 'import'] as const)(
  'webpack, by %s',
  async (word) => {
    const name = `webpack-${word}.${word === 'require' ? 'cjs' : 'mjs'}`
    writeFileSync(join(folder, name), `${head[word]}\n${main}`)
    const config = {
      mode: 'production',
      target: 'node',
      entry: `./${name}`,
      output: { path: join(folder, 'webpack'), filename: `${word}.cjs` },
      // Of Express and the peers: what they look for at run time, and need not find.
      ignoreWarnings: [{ module: /node_modules\/(?!@scale)/ }],
    }
    writeFileSync(join(folder, 'webpack.config.cjs'), `module.exports = ${serialize(config)}`)
    const { code, output } = await run('npx', ['webpack', '--config', 'webpack.config.cjs'], { cwd: folder })
    expect(code, output).toBe(0)
    expect(output).not.toMatch(/WARNING|ERROR/)
    await serves(`webpack/${word}.cjs`)
  },
  120_000,
)

it('rollup', async () => {
  writeFileSync(join(folder, 'rolled.mjs'), `${head.import}\n${main}`)
  writeFileSync(
    join(folder, 'rollup.config.mjs'),
    `import resolve from '@rollup/plugin-node-resolve'
import commonjs from '@rollup/plugin-commonjs'
import json from '@rollup/plugin-json'
export default {
  input: 'rolled.mjs',
  output: { file: 'rolled/app.mjs', format: 'es', inlineDynamicImports: true },
  external: (id, importer) => importer !== undefined && !/^(@scale\\/|[./\\0])/.test(id),
  plugins: [resolve({ preferBuiltins: true }), commonjs(), json()],
}`,
  )
  const { code, output } = await run('npx', ['rollup', '-c', '--silent'], { cwd: folder })
  expect(code, output).toBe(0)
  await serves('rolled/app.mjs')
}, 120_000)

/** JSON, with regular expressions as such. */
function serialize(value: unknown): string {
  if (value instanceof RegExp) return String(value)
  if (Array.isArray(value)) return `[${value.map(serialize).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{ ${Object.entries(value)
    .map(([name, one]) => `${JSON.stringify(name)}: ${serialize(one)}`)
    .join(', ')} }`
}
