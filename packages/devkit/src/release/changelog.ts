import { type Bump, bumpOf, type Changeset } from './changeset.js'

const headings: readonly [bump: Bump, heading: string][] = [
  ['major', 'Breaking'],
  ['minor', 'Added'],
  ['patch', 'Fixed'],
]

/**
 * Puts the section of a release above those before it. What was written by hand under "Unreleased" moves into it.
 *
 * @param changelog  the whole file
 * @param date       `YYYY-MM-DD`
 */
export function withRelease(
  changelog: string,
  version: string,
  date: string,
  changesets: readonly Changeset[],
): string {
  const [, head, byHand, rest] =
    /^([\s\S]*?\n)## Unreleased\n([\s\S]*?)((?:\n## [\s\S]*)?)$/.exec(changelog) ?? []
  if (head === undefined) throw new Error('CHANGELOG.md has no section "## Unreleased"')
  const parts = [`## ${version} (${date})`, byHand!.trim(), ...sections(changesets)].filter(
    (part) => part !== '',
  )
  return `${head}## Unreleased\n\n${parts.join('\n\n')}\n${rest}`
}

function sections(changesets: readonly Changeset[]): string[] {
  return headings.flatMap(([bump, heading]) => {
    const items = changesets.filter((changeset) => bumpOf(changeset) === bump).map(item)
    return items.length === 0 ? [] : [`### ${heading}\n\n${items.join('\n')}`]
  })
}

/** `- **cache, session**: text`, further lines indented so that they stay in the list. */
function item({ bumps, summary }: Changeset): string {
  const names = Object.keys(bumps).map((name) => name.replace('@scale/', ''))
  const [first, ...more] = summary.split('\n')
  const subject = names.length === 0 ? '' : `**${names.join(', ')}**: `
  return [`- ${subject}${first}`, ...more.map((line) => (line === '' ? '' : `  ${line}`))].join('\n')
}
