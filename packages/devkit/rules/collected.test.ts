import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, it } from 'vitest'
import { runTool } from '../src/run.js'
import { projects, repositoryFiles, root } from '../src/workspace.js'

// Vitest passes if it finds no test, and finds no config under the name `vitest.workspace.ts` by itself. So what each
// script would run is compared with the files that are there.

const scripts = (
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
).scripts

/** Project and file of every test file that `vitest` with these arguments would run. */
async function collected(args: readonly string[]): Promise<{ project: string; file: string }[]> {
  const { stdout, output, code } = await runTool('vitest/vitest.mjs', [
    'list',
    '--filesOnly',
    '--json',
    ...args,
  ])
  if (code !== 0) throw new Error(output)
  const listed = JSON.parse(stdout.slice(stdout.indexOf('['))) as { file: string; projectName: string }[]
  return listed.map(({ file, projectName }) => ({ project: projectName, file: relative(root, file) }))
}

const onDisk = repositoryFiles().filter((path) => /\.(test|spec)\.[cm]?[jt]sx?$/.test(path))

it('`pnpm test` runs every test file of every package and example, each once', async () => {
  const [program, command, ...args] = scripts.test!.replaceAll("'", '').split(/\s+/)
  expect([program, command]).toEqual(['vitest', 'run'])
  const config = args.filter((arg) => !/^--(reporter|outputFile)/.test(arg))
  const files = (await collected(config)).map(({ file }) => file)
  const wanted = onDisk.filter((path) => !/^packages\/devkit\/(rules|site|packed|matrix)\//.test(path))
  expect(files.sort()).toEqual(wanted.sort())
})

it('every test file belongs to one project, named after its folder', async () => {
  const all = await collected(['--config', 'vitest.workspace.ts'])
  expect(all.map(({ file }) => file).sort()).toEqual([...onDisk].sort())
  const misplaced = all.filter(({ project, file }) => {
    const [, folder, kind] = file.split('/')
    return project !== (kind === 'test' ? folder : `check:${kind}`)
  })
  expect(misplaced).toEqual([])
})

it('every package and example has tests', () => {
  const without = projects().filter(({ path }) => !onDisk.some((file) => file.startsWith(`${path}/test/`)))
  expect(without.map(({ path }) => path)).toEqual([])
})
