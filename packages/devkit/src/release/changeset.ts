/** How far a change moves the version (semver.org). */
export type Bump = 'patch' | 'minor' | 'major'

const order: readonly Bump[] = ['patch', 'minor', 'major']

/** One note for the changelog, as `pnpm changeset` writes it. */
export interface Changeset {
  /** The packages it is about, and how much it changes each. */
  bumps: Record<string, Bump>
  /** For users, in Markdown. */
  summary: string
}

/**
 * Reads a file of `.changeset`.
 *
 * @throws {Error} it has no front matter, an unknown bump, or no text
 */
export function parseChangeset(text: string, file: string): Changeset {
  const match = /^---\n([\s\S]*?)\n?---\n([\s\S]*)$/.exec(text.replaceAll('\r\n', '\n'))
  if (match === null)
    throw new Error(`${file}: a changeset starts with a list of packages between two lines of ---`)
  const summary = match[2]!.trim()
  if (summary === '') throw new Error(`${file}: says nothing; write what changes for users`)
  const bumps: Record<string, Bump> = {}
  for (const line of match[1]!.split('\n').filter((one) => one.trim() !== '')) {
    const [, name, bump] = /^["']?([^"']+)["']?:\s*(\w+)\s*$/.exec(line) ?? []
    if (name === undefined || !order.includes(bump as Bump)) throw new Error(`${file}: cannot read "${line}"`)
    bumps[name] = bump as Bump
  }
  return { bumps, summary }
}

/** The largest bump of a changeset; `patch` if it names no package. */
export function bumpOf({ bumps }: Changeset): Bump {
  return largest(Object.values(bumps))
}

function largest(bumps: readonly Bump[]): Bump {
  return bumps.toSorted((a, b) => order.indexOf(b) - order.indexOf(a))[0] ?? 'patch'
}

/**
 * The version of all packages after these changes. Before 1.0.0 a major change moves the minor version (semver.org §4).
 */
export function nextVersion(version: string, changesets: readonly Changeset[]): string {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  const bump = largest(changesets.map(bumpOf))
  if (bump === 'patch') return `${major}.${minor}.${patch + 1}`
  if (bump === 'minor' || major === 0) return `${major}.${minor + 1}.0`
  return `${major + 1}.0.0`
}
