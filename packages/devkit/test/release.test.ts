import { describe, expect, it } from 'vitest'
import { withRelease } from '../src/release/changelog.js'
import { type Bump, distTag, nextVersion, parseChangeset } from '../src/release/changeset.js'
import { inPublishOrder } from '../src/release/publish.js'

const changeset = (bump: Bump, summary = 'x') => ({ bumps: { '@scale/cache': bump }, summary })

describe('parseChangeset', () => {
  it('reads what `changeset` writes', () => {
    const text = '---\n"@scale/cache": minor\n\'@scale/core\': patch\n---\n\nTags.\n\nMore.\n'
    expect(parseChangeset(text, 'a.md')).toEqual({
      bumps: { '@scale/cache': 'minor', '@scale/core': 'patch' },
      summary: 'Tags.\n\nMore.',
    })
  })

  it.each([
    ['no front matter', 'Tags.'],
    ['an unknown bump', '---\n"@scale/cache": huge\n---\n\nTags.\n'],
    ['no text', '---\n"@scale/cache": minor\n---\n'],
  ])('refuses %s', (_, text) => {
    expect(() => parseChangeset(text, 'a.md')).toThrow(/^a\.md: /)
  })
})

it.each([
  ['0.0.0', ['patch'], '0.0.1'],
  ['0.3.1', ['patch', 'minor'], '0.4.0'],
  ['0.3.1', ['major'], '0.4.0'],
  ['1.2.3', ['patch'], '1.2.4'],
  ['1.2.3', ['minor', 'patch'], '1.3.0'],
  ['1.2.3', ['patch', 'major', 'minor'], '2.0.0'],
  // A prerelease is followed by the next, as long as what it leads to is as far a move.
  ['1.0.0-beta.1', ['patch'], '1.0.0-beta.2'],
  ['1.0.0-beta.9', ['major'], '1.0.0-beta.10'],
  ['1.1.0-rc.0', ['minor'], '1.1.0-rc.1'],
  ['1.1.0-rc.0', ['major'], '2.0.0-rc.0'],
  ['1.0.1-beta.1', ['minor'], '1.1.0-beta.0'],
  ['0.4.0-beta.1', ['major'], '0.4.0-beta.2'],
  ['1.0.0-beta', ['patch'], '1.0.0-beta.0'],
] as [string, Bump[], string][])('%s and %j make %s', (version, bumps, expected) => {
  expect(
    nextVersion(
      version,
      bumps.map((bump) => changeset(bump)),
    ),
  ).toBe(expected)
})

it.each([
  ['1.2.3', 'latest'],
  ['1.0.0-beta.1', 'beta'],
  ['1.0.0-rc', 'rc'],
  ['1.0.0-3', 'next'],
])('%s is offered as %s', (version, expected) => {
  expect(distTag(version)).toBe(expected)
})

it('publishes what others need before them', () => {
  const order = inPublishOrder().map(({ manifest }) => manifest)
  expect(order[0]!.name).toBe('@scale/core')
  order.forEach(({ dependencies = {} }, index) => {
    const later = order.slice(index).map(({ name }) => name)
    expect(Object.keys(dependencies).filter((name) => later.includes(name))).toEqual([])
  })
  const circle = order.slice(0, 2).map((manifest, index) => ({
    ...{ name: '', folder: '', path: '' },
    manifest: { ...manifest, dependencies: { [order[1 - index]!.name]: '*' } },
  }))
  expect(() => inPublishOrder(circle)).toThrow('circle')
})

describe('withRelease', () => {
  const before = '# Changelog\n\nIntro.\n\n## Unreleased\n\n## 0.1.0 (2026-01-01)\n\nFirst.\n'

  it('adds a section, most important first, and keeps what was there', () => {
    const after = withRelease(before, '0.2.0', '2026-02-02', [
      changeset('patch', 'A fix.'),
      changeset('minor', 'A feature.\n\nWith a paragraph.'),
    ])
    expect(after).toBe(
      '# Changelog\n\nIntro.\n\n## Unreleased\n\n## 0.2.0 (2026-02-02)\n\n' +
        '### Added\n\n- **cache**: A feature.\n\n  With a paragraph.\n\n### Fixed\n\n- **cache**: A fix.\n' +
        '\n## 0.1.0 (2026-01-01)\n\nFirst.\n',
    )
  })

  it('moves what was written by hand into the release', () => {
    const after = withRelease('# Changelog\n\n## Unreleased\n\nFirst version.\n', '0.1.0', '2026-02-02', [])
    expect(after).toBe('# Changelog\n\n## Unreleased\n\n## 0.1.0 (2026-02-02)\n\nFirst version.\n')
  })

  it('refuses a file without the place for it', () => {
    expect(() => withRelease('# Changelog\n', '0.1.0', '2026-02-02', [])).toThrow('Unreleased')
  })
})
