import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of this repository. */
export const root: string = join(dirname(fileURLToPath(import.meta.url)), '../../..')

/** What the tools here read of a `package.json`. */
export interface Manifest {
  name: string
  version: string
  private?: boolean
  scripts?: Record<string, string>
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  exports?: Record<string, Entry>
  publishConfig?: { exports?: Record<string, Entry> }
  [field: string]: unknown
}

/** One entry of `exports`: a file, or files by condition, in the order in which they are tried. */
export type Entry = string | { readonly [condition: string]: Entry }

/** A package or an example of this workspace. */
export interface Project {
  /** Folder name, which is also the name of its vitest project. */
  name: string
  /** Absolute path. */
  folder: string
  /** `packages/core` */
  path: string
  manifest: Manifest
}

/** Everything under `packages` and `examples` that has a `package.json`, in the order of their paths. */
export function projects(): Project[] {
  return ['packages', 'examples']
    .flatMap((parent) =>
      readdirSync(join(root, parent)).map((name) => ({ name, folder: join(root, parent, name) })),
    )
    .filter(({ folder }) => existsSync(join(folder, 'package.json')))
    .map(({ name, folder }) => ({
      name,
      folder,
      path: relative(root, folder),
      manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest,
    }))
}

/** The packages that go to the registry. */
export function publishedPackages(): Project[] {
  return projects().filter(({ path, manifest }) => path.startsWith('packages/') && manifest.private !== true)
}

const SKIPPED = new Set(['node_modules', 'dist', 'coverage', '.data', '.cache', '.git'])

/** Absolute paths of the files under a folder, sorted; none of what is installed, built or recorded. */
export function filesUnder(folder: string, keep: (path: string) => boolean = () => true): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !SKIPPED.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return filesUnder(path, keep)
      return entry.isFile() && keep(path) ? [path] : []
    })
    .sort()
}

/** Paths from the root of all files that are, or could be, in version control. */
export function repositoryFiles(): string[] {
  const listing = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
  })
  // A copy that is no clone still has all files but no list of them.
  if (listing.status !== 0) return filesUnder(root).map(fromRoot)
  return listing.stdout.split('\0').filter((path) => path !== '' && existsSync(join(root, path)))
}

/** A path as people write it: from the root of the repository. */
export function fromRoot(path: string): string {
  return relative(root, path)
}

/** The versions under `catalog:` in `pnpm-workspace.yaml`, by name; the file is ours, one entry a line. */
export function catalog(): Record<string, string> {
  const [, entries] = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8').split(/^catalog:\n/m)
  const lines = entries!.matchAll(/^ {2}"?([^":\n]+)"?: "?([^"\n]+)"?$/gm)
  return Object.fromEntries([...lines].map(([, name, range]) => [name, range]))
}
