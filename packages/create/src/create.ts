import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { resolveOptions } from '@scale/core'
import { FolderNotEmpty } from './errors.js'
import { type CreateOptions, createChecks, createDefaults, type Part } from './options.js'
import { catalogue } from './parts/catalogue.js'
import { oidc } from './parts/oidc.js'
import { type Removal, remove } from './parts/removal.js'
import { repository } from './parts/repository.js'
import { template } from './template.js'

/** What was made. */
export interface Created {
  /** Absolute path. */
  folder: string
  name: string
  /** Paths below the folder, sorted. */
  files: string[]
}

const removals: Readonly<Record<Part, Removal>> = { catalogue, oidc }

/**
 * Writes a service: the example users-profile under another name, without the parts that were not asked for. Installs nothing.
 *
 * @throws {FolderNotEmpty} there are files where it would go; a `.git` may be there
 */
export async function create(options: CreateOptions): Promise<Created> {
  const given = options?.name === undefined ? { ...options, name: nameOf(options?.folder) } : options
  const { folder, name, parts } = resolveOptions('create', given, {
    checks: createChecks,
    defaults: createDefaults,
    required: ['folder', 'name'],
  })
  const target = resolve(folder)
  if (!(await isFree(target))) throw new FolderNotEmpty(target)
  const unwanted = (Object.keys(removals) as Part[]).filter((part) => !parts.includes(part))
  const files = renamed(without([repository, ...unwanted.map((part) => removals[part])]), name!)
  for (const [path, text] of files) {
    await mkdir(join(target, dirname(path)), { recursive: true })
    await writeFile(join(target, path), text)
  }
  return { folder: target, name: name!, files: [...files.keys()].sort() }
}

function nameOf(folder: unknown): string | undefined {
  return typeof folder === 'string' ? basename(resolve(folder)).toLowerCase() : undefined
}

async function isFree(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).every((name) => name === '.git')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw error
  }
}

function without(removals: readonly Removal[]): Map<string, string> {
  const files = template()
  for (const removal of removals) remove(files, removal)
  return files
}

function renamed(files: ReadonlyMap<string, string>, name: string): Map<string, string> {
  const inText = (text: string): string => text.replaceAll(/users[-/]profile/g, name)
  return new Map([...files].map(([path, text]) => [path.replaceAll('users-profile', name), inText(text)]))
}
