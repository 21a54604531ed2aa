import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import type { Options } from 'tsup'

/**
 * The build of every published package: ES modules from tsup, declarations from `tsc`.
 *
 * tsup bundles each entry; what entries share goes into chunks. Its own declaration bundler needs the
 * compiler API that TypeScript 7 no longer has, so `tsc` writes one declaration per source file.
 *
 * @param options.entries  files under `src`, without extension. Default `['index']`
 */
export function library(options: { entries?: string[] } = {}): Options {
  const { entries = ['index'] } = options
  return {
    entry: Object.fromEntries(entries.map((name) => [name, `src/${name}.ts`])),
    format: 'esm',
    target: 'node20',
    platform: 'node',
    splitting: true,
    sourcemap: true,
    clean: true,
    dts: false,
    outExtension: () => ({ js: '.js' }),
    onSuccess: async () => writeDeclarations(process.cwd()),
  }
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
        outDir: from('dist'),
      },
    }),
  )
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', project], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`tsc could not write the declarations of ${packageFolder}:\n${stdout}`)
}
