import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import semver from 'semver'
import { pnpm } from '../run.js'
import { publishedPackages, root } from '../workspace.js'
import { withRelease } from './changelog.js'
import { pending } from './pending.js'

// `pnpm release:version [version]`: turns the files of `.changeset` into one version for all packages and one section of
// CHANGELOG.md, and removes them. Without a version the files decide.

const { files, changesets, next } = pending()
const [wanted] = process.argv.slice(2)
if (files.length === 0 && wanted === undefined) {
  console.error('Nothing to release: no files in .changeset.')
  process.exit(1)
}
const version = wanted ?? next
if (semver.valid(version) !== version) {
  console.error(`${version} is not a version.`)
  process.exit(1)
}

function change(path: string, pattern: RegExp): void {
  const file = join(root, path)
  writeFileSync(file, readFileSync(file, 'utf8').replace(pattern, `$1${version}"`))
}
for (const { path } of publishedPackages()) change(`${path}/package.json`, /^( {2}"version": ")[^"]*"/m)
// Copied out of the repository, it asks for what was released with it.
change('examples/users-profile/package.json', /^( {4}"@scale\/[\w-]+": "\^)[^"]*"/gm)
const { code, output } = await pnpm(['install', '--lockfile-only', '--ignore-scripts'])
if (code !== 0) {
  console.error(`pnpm could not bring the lock file up to date:\n${output}`)
  process.exit(1)
}
const changelog = join(root, 'CHANGELOG.md')
const today = new Date().toISOString().slice(0, 10)
writeFileSync(changelog, withRelease(readFileSync(changelog, 'utf8'), version, today, changesets))
for (const path of files) rmSync(path)
console.log(version)
