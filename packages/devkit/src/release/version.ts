import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesUnder, publishedPackages, root } from '../workspace.js'
import { withRelease } from './changelog.js'
import { nextVersion, parseChangeset } from './changeset.js'

// `pnpm release:version [version]`: turns the files of `.changeset` into one version for all packages and one section of
// CHANGELOG.md, and removes them. Without a version the files decide.

const files = filesUnder(join(root, '.changeset'), (path) => path.endsWith('.md'))
const changesets = files.map((path) => parseChangeset(readFileSync(path, 'utf8'), path))
const [wanted] = process.argv.slice(2)
if (changesets.length === 0 && wanted === undefined) {
  console.error('Nothing to release: no files in .changeset.')
  process.exit(1)
}

const [{ manifest }] = publishedPackages() as [ReturnType<typeof publishedPackages>[0]]
const version = wanted ?? nextVersion(manifest.version, changesets)
if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
  console.error(`${version} is not a version.`)
  process.exit(1)
}

for (const { folder } of publishedPackages()) {
  const path = join(folder, 'package.json')
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replace(/^( {2}"version": )"[^"]*"/m, `$1"${version}"`))
}
const changelog = join(root, 'CHANGELOG.md')
const today = new Date().toISOString().slice(0, 10)
writeFileSync(changelog, withRelease(readFileSync(changelog, 'utf8'), version, today, changesets))
for (const path of files) rmSync(path)
console.log(version)
