import { tarballOf } from '../packing.js'
import { run } from '../run.js'
import { type Project, publishedPackages } from '../workspace.js'
import { distTag } from './changeset.js'

/** One package, as npm says it was, or would be, published. */
export interface Published {
  id: string
  tag: string
  files: number
  bytes: number
}

/** Published packages, each after those that it depends on: nobody can install what needs something not there yet. */
export function inPublishOrder(projects: readonly Project[] = publishedPackages()): Project[] {
  const names = new Set(projects.map(({ manifest }) => manifest.name))
  const done = new Set<string>()
  const ordered: Project[] = []
  while (ordered.length < projects.length) {
    const ready = projects.filter(
      ({ manifest: { name, dependencies = {} } }) =>
        !done.has(name) && Object.keys(dependencies).every((other) => !names.has(other) || done.has(other)),
    )
    if (ready.length === 0) throw new Error('Packages depend on each other in a circle.')
    for (const project of ready) done.add(project.manifest.name)
    ordered.push(...ready)
  }
  return ordered
}

/**
 * Publishes one tarball by npm, without provenance: that is for a workflow to state, and no machine of a maintainer can.
 *
 * @param options.env  such as the configuration of npm that names a registry
 * @throws {Error} npm refused; the message ends with what it said
 */
export async function publish(
  project: Project,
  options: { dryRun?: boolean; tarball?: string; version?: string; env?: Record<string, string> } = {},
): Promise<Published> {
  const { dryRun = false, tarball = tarballOf(project), version = project.manifest.version } = options
  const tag = distTag(version)
  const args = ['publish', tarball, '--json', '--access=public', `--tag=${tag}`, '--provenance=false']
  const ended = await run(
    'npm',
    dryRun ? [...args, '--dry-run'] : args,
    options.env ? { env: options.env } : {},
  )
  if (ended.code !== 0) throw new Error(`npm did not publish ${project.manifest.name}:\n${ended.output}`)
  const told = JSON.parse(ended.stdout) as Record<string, unknown>
  // Since npm 11 by name.
  const { id, size, entryCount } = (told.id === undefined ? told[project.manifest.name] : told) as {
    id: string
    size: number
    entryCount: number
  }
  return { id, tag, files: entryCount, bytes: size }
}
