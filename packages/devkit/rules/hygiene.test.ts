import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { repositoryFiles, root } from '../src/workspace.js'

const files = repositoryFiles().filter((path) => !/\.(png|svg|gif|jpg|webp|gz|tgz|cast)$/.test(path))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

function matches(pattern: RegExp, among = files): string[] {
  return among.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) =>
        pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : [],
      ),
  )
}

it('no file names a folder of somebody’s machine', () => {
  // Written so that this line does not find itself.
  const folders = /(?<![\w.])(?:\/(?:work|home|root|Users)\/[\w.]|[A-Z]:\\(?:Users|home))|\.\.\/shared\//
  const except = ['packages/devkit/rules/hygiene.test.ts']
  expect(
    matches(
      folders,
      files.filter((path) => !except.includes(path)),
    ),
  ).toEqual([])
})

it('the lock file names no registry: everything comes from the one that is configured', () => {
  expect(matches(/https?:\/\/|tarball:/, ['pnpm-lock.yaml'])).toEqual([])
})

it('no test is skipped, focused or left for later', () => {
  const tests = files.filter((path) => /\.(test|bench)\.[cm]?ts$/.test(path))
  const except = ['packages/devkit/rules/hygiene.test.ts']
  const pattern =
    /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.(?:skip|skipIf|runIf|only|todo)\b|\b(?:ctx|context|task)\.skip\(/
  expect(
    matches(
      pattern,
      tests.filter((path) => !except.includes(path)),
    ),
  ).toEqual([])
})

it('no private key is among the files, but for certificates of tests', () => {
  const begin = ['-----BEGIN', '(?:[A-Z]+ )?PRIVATE KEY'].join(' ')
  const outsideFixtures = files.filter((path) => !path.includes('/test/fixtures/'))
  expect(matches(new RegExp(begin), outsideFixtures)).toEqual([])
})
