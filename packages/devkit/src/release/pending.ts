import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesUnder, publishedPackages, root } from '../workspace.js'
import { type Changeset, nextVersion, parseChangeset } from './changeset.js'

/** What is to be released. */
export interface Pending {
  /** The files of `.changeset`, absolute. */
  files: string[]
  changesets: Changeset[]
  /** That of all packages now. */
  version: string
  /** That after these changes; the same if there are none. */
  next: string
}

/** @throws {Error} a changeset cannot be read */
export function pending(): Pending {
  const files = filesUnder(join(root, '.changeset'), (path) => path.endsWith('.md'))
  const changesets = files.map((path) => parseChangeset(readFileSync(path, 'utf8'), path))
  const { version } = publishedPackages()[0]!.manifest
  return { files, changesets, version, next: files.length === 0 ? version : nextVersion(version, changesets) }
}
