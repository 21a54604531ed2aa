import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseChangeset } from '../src/release/changeset.js'
import { publishedPackages, repositoryFiles, root } from '../src/workspace.js'

it('changesets can be read, and name published packages', () => {
  const names = publishedPackages().map(({ manifest }) => manifest.name)
  const files = repositoryFiles().filter((path) => /^\.changeset\/.*\.md$/.test(path))
  const unknown = files.flatMap((path) =>
    Object.keys(parseChangeset(readFileSync(join(root, path), 'utf8'), path).bumps).filter(
      (name) => !names.includes(name),
    ),
  )
  expect(unknown).toEqual([])
})

it('actions in workflows are pinned to a commit', () => {
  const workflows = repositoryFiles().filter((path) => /^\.github\/workflows\/.*\.ya?ml$/.test(path))
  expect(workflows).not.toEqual([])
  const loose = workflows.flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(/^\s*-?\s*uses:\s*(\S+)(.*)$/gm)]
      .filter(
        ([, action, comment]) => !/@[0-9a-f]{40}$/.test(action!) || !/^ # v\d+\.\d+\.\d+$/.test(comment!),
      )
      .map(([, action]) => `${path}: ${action}`),
  )
  expect(loose).toEqual([])
})
