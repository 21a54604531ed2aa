import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { type Ended, pnpm, run } from '../src/run.js'
import { type Manifest, publishedPackages, repositoryFiles, root } from '../src/workspace.js'

it('`pnpm release:version` leaves a repository that installs as it is locked, one version everywhere, and no note', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'scale-version-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const path of repositoryFiles()) cpSync(join(root, path), join(folder, path))
  for (const path of ['node_modules', 'packages/devkit/node_modules'])
    symlinkSync(join(root, path), join(folder, path))
  const setVersion = (...args: string[]): Promise<Ended> =>
    run(
      join(root, 'node_modules/.bin/tsx'),
      [join(folder, 'packages/devkit/src/release/version.ts'), ...args],
      {
        cwd: folder,
      },
    )
  const read = (path: string): string => readFileSync(join(folder, path), 'utf8')

  const refused = await setVersion('1.0')
  expect([refused.code, refused.output]).toEqual([1, '1.0 is not a version.\n'])

  const { code, stdout, output } = await setVersion('1.0.0-beta.0')
  expect(code, output).toBe(0)
  expect(stdout.trim().split('\n').at(-1)).toBe('1.0.0-beta.0')
  for (const { path } of publishedPackages()) {
    expect([path, (JSON.parse(read(`${path}/package.json`)) as Manifest).version]).toEqual([
      path,
      '1.0.0-beta.0',
    ])
  }
  const { dependencies } = JSON.parse(read('examples/users-profile/package.json')) as Manifest
  const ours = Object.entries(dependencies!).filter(([name]) => name.startsWith('@scale/'))
  expect(new Set(ours.map(([, range]) => range))).toEqual(new Set(['^1.0.0-beta.0']))
  expect(read('CHANGELOG.md')).toMatch(/## Unreleased\n\n## 1\.0\.0-beta\.0 \(\d{4}-\d\d-\d\d\)\n/)
  expect((await run('find', ['.changeset', '-name', '*.md'], { cwd: folder })).stdout).toBe('')

  const locked = await pnpm(['install', '--frozen-lockfile', '--lockfile-only'], { cwd: folder })
  expect(locked.code, locked.output).toBe(0)
  // The next one follows from a note, by itself.
  const nothing = await setVersion()
  expect([nothing.code, nothing.output]).toEqual([1, 'Nothing to release: no files in .changeset.\n'])
}, 120_000)
