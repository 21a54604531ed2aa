import { relative } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { ScaleError } from '@scale/core'
import { create } from '../create.js'
import type { CreateOptions, Part } from '../options.js'

const help = `npm create @scale@latest [folder] -- [options]
  writes a typed Express service with its tests: sessions, quotas, cache, workers

  --name <name>     what it is called; default: the last part of the folder
  --with <parts>    catalogue, oidc, or both with a comma: a public list, the login through a provider
  --help
`

const flags = { name: { type: 'string' }, with: { type: 'string' }, help: { type: 'boolean' } } as const

/** The command. Without a folder it asks, if there is somebody to ask. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options: flags, allowPositionals: true })
    const asked = positionals.length === 0 && process.stdin.isTTY ? await ask() : undefined
    const folder = positionals[0] ?? asked?.folder
    if (values.help || folder === undefined || positionals.length > 1) {
      process.stdout.write(help)
      process.exitCode = values.help ? 0 : 2
      return
    }
    tell(await create(optionsOf(folder, values.name, values.with ?? asked?.parts)))
  } catch (error) {
    // What the user typed is wrong, or was refused: one line says it all.
    const { code, message } = error as NodeJS.ErrnoException
    if (!(error instanceof ScaleError) && !code?.startsWith('ERR_PARSE_ARGS')) throw error
    process.stderr.write(`${message}\n`)
    process.exitCode = 2
  }
}

async function ask(): Promise<{ folder: string; parts: string }> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const folder = await terminal.question('Folder (my-service): ')
    const parts = await terminal.question('With catalogue, oidc (neither): ')
    return { folder: folder.trim() || 'my-service', parts }
  } finally {
    terminal.close()
  }
}

function optionsOf(folder: string, name: string | undefined, parts: string = ''): CreateOptions {
  const named = parts.split(/[\s,]+/).filter((part) => part !== '')
  return { folder, ...(name !== undefined && { name }), parts: named as Part[] }
}

function tell({ folder, name, files }: Awaited<ReturnType<typeof create>>): void {
  process.stdout.write(`${name}: ${files.length} files in ${folder}

  cd ${relative(process.cwd(), folder) || '.'}
  npm install
  npm test
  npm run dev
`)
}
