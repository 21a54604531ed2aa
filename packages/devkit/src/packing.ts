import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pnpm } from './run.js'
import { filesUnder, fromRoot, type Project, publishedPackages, root } from './workspace.js'

/** Where the tarballs of the last `packAll` are. */
const tarballFolder: string = join(root, 'node_modules/.cache/tarballs')

/** The tarball of a package, whether or not it is there yet. */
export function tarballOf({ manifest }: Project): string {
  return join(tarballFolder, `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`)
}

/**
 * Packs every published package, as it would go to the registry.
 *
 * @throws {Error} a build is missing or older than its sources: an old tarball would prove nothing
 */
export async function packAll(): Promise<void> {
  const stale = publishedPackages().filter((project) => !isBuilt(project))
  if (stale.length > 0) {
    throw new Error(
      `Run \`pnpm build\` first: no current build of ${stale.map(({ path }) => path).join(', ')}.`,
    )
  }
  rmSync(tarballFolder, { recursive: true, force: true })
  mkdirSync(tarballFolder, { recursive: true })
  const filters = publishedPackages().flatMap(({ manifest }) => ['--filter', manifest.name])
  const { code, output } = await pnpm([...filters, '-r', 'pack', '--pack-destination', tarballFolder])
  const missing = publishedPackages().filter((project) => !existsSync(tarballOf(project)))
  if (code !== 0 || missing.length > 0) {
    throw new Error(
      `pnpm pack made no ${missing.map((project) => fromRoot(tarballOf(project))).join(', ')}:\n${output}`,
    )
  }
}

/** Whether the build of a package is there and not older than its sources. */
export function isBuilt({ folder }: Project): boolean {
  // Written last, and not at all if a type is wrong.
  const built = join(folder, 'dist/index.d.ts')
  if (!existsSync(built)) return false
  const builtAt = statSync(built).mtimeMs
  return filesUnder(join(folder, 'src')).every((path) => statSync(path).mtimeMs <= builtAt)
}
