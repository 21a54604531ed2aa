import parse from '@changesets/parse'
import semver from 'semver'

/** How far a change moves the version (semver.org). */
export type Bump = 'patch' | 'minor' | 'major'

const order: readonly string[] = ['patch', 'minor', 'major'] satisfies Bump[]

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
  const { releases, summary } = read(text, file)
  if (summary === '') throw new Error(`${file}: says nothing; write what changes for users`)
  const odd = releases.find(({ type }) => !order.includes(type))
  if (odd !== undefined) throw new Error(`${file}: cannot read "${odd.name}: ${odd.type}"`)
  return { bumps: Object.fromEntries(releases.map(({ name, type }) => [name, type as Bump])), summary }
}

function read(text: string, file: string): ReturnType<typeof parse> {
  try {
    return parse(text.replaceAll('\r\n', '\n'))
  } catch (cause) {
    throw new Error(`${file}: a changeset starts with a list of packages between two lines of ---`, { cause })
  }
}

/** The largest bump of a changeset; `patch` if it names no package. */
export function bumpOf({ bumps }: Changeset): Bump {
  return largest(Object.values(bumps))
}

function largest(bumps: readonly Bump[]): Bump {
  return bumps.toSorted((a, b) => order.indexOf(b) - order.indexOf(a))[0] ?? 'patch'
}

/**
 * The version of all packages after these changes. Before 1.0.0 a major change moves the minor version (semver.org §4). A
 * prerelease is followed by the next one of the same name, until a version is named by hand.
 */
export function nextVersion(version: string, changesets: readonly Changeset[]): string {
  const asked = largest(changesets.map(bumpOf))
  const bump = asked === 'major' && semver.major(version) === 0 ? 'minor' : asked
  const prerelease = semver.prerelease(version)
  if (prerelease === null) return semver.inc(version, bump)!
  if (promises(version, bump)) return semver.inc(version, 'prerelease')!
  return semver.inc(version, `pre${bump}`, undefined, String(prerelease[0]))!
}

/** Whether what a prerelease leads to is as far a move already: 2.0.0-beta.1 may bring anything, 1.0.1-beta.1 repairs only. */
function promises(version: string, bump: Bump): boolean {
  const isMinor = semver.patch(version) === 0
  const isMajor = isMinor && semver.minor(version) === 0
  return bump === 'patch' || (bump === 'minor' ? isMinor : isMajor)
}

/**
 * Under which name a registry offers a version: `latest` is for whoever asks for none, and no prerelease.
 *
 * @returns  `latest`, the name of the prerelease (`beta`), or `next` if it has none
 */
export function distTag(version: string): string {
  const prerelease = semver.prerelease(version)
  if (prerelease === null) return 'latest'
  return typeof prerelease[0] === 'string' ? prerelease[0] : 'next'
}
