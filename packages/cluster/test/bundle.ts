import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

const packageFolder = fileURLToPath(new URL('..', import.meta.url))

/** Where bundles find the packages that they leave outside. */
export function buildFolder(): string {
  const folder = join(packageFolder, 'node_modules/.cache/fixtures')
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Bundles one file to JavaScript, sources of this workspace included, so that it starts as fast as a built app. */
export async function bundle(entry: string, outDir: string): Promise<string> {
  await build({
    config: false,
    silent: true,
    entry: { entry: join(packageFolder, entry) },
    outDir,
    format: 'esm',
    target: 'node20',
    noExternal: [/^@scale\//],
    external: ['express', 'ws'],
    esbuildOptions: (options) => {
      options.conditions = ['@scale/source']
    },
    outExtension: () => ({ js: '.mjs' }),
  })
  return join(outDir, 'entry.mjs')
}
