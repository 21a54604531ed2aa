import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import type { Options } from 'tsup'

const require = createRequire(import.meta.url)
/** The one that tsup has: this file is bundled into the configuration of each package, which has none. */
const { transformSync } = createRequire(require.resolve('tsup'))('esbuild') as {
  transformSync(code: string, options: Record<string, unknown>): { code: string; map: string }
}

/** Where the code is, below a package; its declarations lie beside it. */
const CODE = 'dist/cjs'

/**
 * The build of every published package: one CommonJS build, which is the package for `require` and `import` alike, because
 * two copies of its state would not know each other. An ES module for each entry names what it exports.
 *
 * tsup bundles each entry; what entries share goes into chunks. Its own declaration bundler needs the
 * compiler API that TypeScript 7 no longer has, so `tsc` writes one declaration per source file.
 *
 * @param options.entries  files under `src`, without extension. Default `['index']`
 * @param options.bundled  dependencies that are ES modules only, which not everything can `require`. Default none
 * @see docs/decisions/both-module-formats.md
 */
export function library(options: { entries?: string[]; bundled?: string[] } = {}): Options {
  const { entries = ['index'], bundled = [] } = options
  return {
    entry: Object.fromEntries(entries.map((name) => [name, `src/${name}.ts`])),
    outDir: CODE,
    format: 'esm',
    target: 'node20',
    platform: 'node',
    splitting: true,
    sourcemap: 'inline',
    clean: true,
    dts: false,
    noExternal: bundled,
    outExtension: () => ({ js: '.js' }),
    onSuccess: async () => {
      for (const name of readdirSync('dist'))
        if (name !== 'cjs') rmSync(join('dist', name), { recursive: true })
      const exported = new Map(entries.map((entry) => [entry, exportsOf(join(CODE, `${entry}.js`))]))
      for (const file of filesUnder(CODE)) turnIntoCommonJs(file)
      writeFileSync(join(CODE, 'package.json'), '{ "type": "commonjs" }\n')
      for (const name of bundled) keepLicence(name)
      writeDeclarations(process.cwd())
      for (const [entry, names] of exported) writeModule(entry, names)
    },
  }
}

/** tsup splits chunks in ES modules only; each is then turned into CommonJS by itself. */
function turnIntoCommonJs(file: string): void {
  const { code, map } = transformSync(readFileSync(file, 'utf8'), {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    sourcefile: file,
    sourcemap: 'external',
    sourcesContent: true,
  })
  const name = file.slice(file.lastIndexOf('/') + 1)
  writeFileSync(file, `${code}//# sourceMappingURL=${name}.map\n`)
  writeFileSync(`${file}.map`, map)
}

/** The names in the last statement of what esbuild writes for an ES module. */
function exportsOf(file: string): string[] {
  const [, names = ''] = /\nexport \{\n([^}]*)\};\n/.exec(readFileSync(file, 'utf8')) ?? []
  return names.split(',').flatMap((name) => name.trim().split(' as ').at(-1) || [])
}

/** What `import` finds: the same objects by the same names, and the same types. */
function writeModule(entry: string, names: readonly string[]): void {
  const file = join('dist', entry)
  const from = `'${entry.includes('/') ? '../'.repeat(entry.split('/').length - 1) : './'}cjs/${entry}.js'`
  const isProgram = readFileSync(join(CODE, `${entry}.js`), 'utf8').startsWith('#!')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(
    `${file}.js`,
    isProgram ? `#!/usr/bin/env node\nimport ${from}\n` : `export { ${names.join(', ')} } from ${from}\n`,
  )
  writeFileSync(`${file}.d.ts`, `export * from ${from}\n`)
}

/** Whoever gets the code gets the licence. */
function keepLicence(name: string): void {
  const folder = join('node_modules', name)
  const licence = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file))
  appendFileSync(join(CODE, 'LICENCES.txt'), `${name}\n\n${readFileSync(join(folder, licence!), 'utf8')}\n`)
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(folder, name))
}

/** Declarations come from the published view of the other packages (`dist`), not from their sources. */
function writeDeclarations(packageFolder: string): void {
  const cache = join(packageFolder, 'node_modules/.cache/declarations')
  mkdirSync(cache, { recursive: true })
  const project = join(cache, 'tsconfig.json')
  const from = (path: string): string => relative(cache, join(packageFolder, path))
  writeFileSync(
    project,
    JSON.stringify({
      extends: from('tsconfig.json'),
      include: [from('src')],
      compilerOptions: {
        customConditions: [],
        noEmit: false,
        emitDeclarationOnly: true,
        noEmitOnError: true,
        stripInternal: true,
        rootDir: from('src'),
        outDir: from(CODE),
      },
    }),
  )
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc')
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', project], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`tsc could not write the declarations of ${packageFolder}:\n${stdout}`)
}
