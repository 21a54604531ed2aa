import { packAll } from '../packing.js'
import { withRelease } from './changelog.js'
import { pending } from './pending.js'
import { inPublishOrder, publish } from './publish.js'

// `pnpm release --dry-run`: which version and which texts would come, and each package as it would go. Without the flag it
// publishes, for the first version of a package, which no workflow may publish. See docs/guides/release.md.

const dryRun = process.argv.includes('--dry-run')
const { changesets, version, next } = pending()
if (!dryRun && (version === '0.0.0' || changesets.length > 0)) {
  console.error(
    'Set the version first, and commit it: pnpm release:version. Or see what would come: --dry-run.',
  )
  process.exit(1)
}
console.log(next === version ? `Version ${version}\n` : `Version ${version} → ${next}\n`)
if (changesets.length > 0) {
  const today = new Date().toISOString().slice(0, 10)
  console.log(
    withRelease('\n## Unreleased\n', next, today, changesets).replace('\n## Unreleased\n', '').trim(),
  )
}
await packAll()
console.log('')
for (const project of inPublishOrder()) {
  const { id, files, bytes, tag } = await publish(project, { dryRun, version: dryRun ? next : version })
  const name = id.replace(/@[^@]*$/, `@${dryRun ? next : version}`)
  console.log(
    `${name.padEnd(30)} ${tag.padEnd(8)} ${String(files).padStart(4)} files ${(bytes / 1000).toFixed(0).padStart(5)} kB`,
  )
}
console.log(dryRun ? '\nNothing was published, and no file was changed.' : '\nPublished. Tag the commit.')
