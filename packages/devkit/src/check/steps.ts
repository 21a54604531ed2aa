import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { packAll, tarballOf } from '../packing.js'
import { pnpm, runTool } from '../run.js'
import { typeErrors } from '../typecheck.js'
import { type Project, projects, publishedPackages, root } from '../workspace.js'
import { type Outcome, outcome, removeResults, resultsFile, sum, vitestOutcome } from './outcome.js'

/** A step of `pnpm check`. */
export interface Step {
  name: string
  run(): Promise<Outcome>
}

/** In this order; each runs whatever became of those before it. */
export const steps: readonly Step[] = [
  { name: 'lock file', run: lockFile },
  { name: 'format and lint', run: () => tool('@biomejs/biome/bin/biome', 'check', '--error-on-warnings') },
  { name: 'types', run: types },
  { name: 'build', run: build },
  { name: 'pack', run: pack },
  { name: 'publint', run: () => eachPackage(publintProblems) },
  { name: 'types as published', run: () => eachPackage(publishedTypeProblems) },
  {
    name: 'unused code',
    run: () => tool('knip/bin/knip.js', '--no-progress', '--no-config-hints'),
  },
  { name: 'repository rules', run: () => vitest('check:rules') },
  { name: 'site', run: () => vitest('check:site') },
  { name: 'packed consumers', run: () => vitest('check:packed') },
]

async function tool(script: string, ...args: string[]): Promise<Outcome> {
  const { code, output } = await runTool(script, args)
  return outcome(code === 0 ? '' : output.trim() || `${script} ended with ${code}`)
}

/** A fresh clone installs exactly what was tested, or nothing. */
async function lockFile(): Promise<Outcome> {
  const { code, output } = await pnpm(['install', '--frozen-lockfile', '--lockfile-only'])
  return outcome(code === 0 ? '' : output.trim())
}

async function types(): Promise<Outcome> {
  const outcomes: Outcome[] = []
  for (const { folder } of projects()) outcomes.push(outcome(await typeErrors(folder)))
  return sum(outcomes)
}

async function build(): Promise<Outcome> {
  const { code, output } = await pnpm(['build'])
  return outcome(code === 0 ? '' : output.trim() || `pnpm build ended with ${code}`)
}

async function pack(): Promise<Outcome> {
  await packAll()
  return outcome('')
}

async function eachPackage(
  problems: (project: Project, tarball: ArrayBuffer) => Promise<string[]>,
): Promise<Outcome> {
  const outcomes: Outcome[] = []
  for (const project of publishedPackages()) {
    const { buffer, byteOffset, byteLength } = readFileSync(tarballOf(project))
    const found = await problems(project, buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer)
    outcomes.push(outcome(found.map((problem) => `${project.manifest.name}: ${problem}`).join('\n')))
  }
  return sum(outcomes)
}

async function publintProblems(_: Project, tarball: ArrayBuffer): Promise<string[]> {
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true })
  return messages.map((message) => formatMessage(message, pkg) ?? message.code)
}

async function publishedTypeProblems(_: Project, tarball: ArrayBuffer): Promise<string[]> {
  const result = await checkPackage(createPackageFromTarballData(new Uint8Array(tarball)))
  if (result.types === false) return ['has no types']
  return result.problems.map((problem) => JSON.stringify(problem))
}

async function vitest(project: string): Promise<Outcome> {
  const report = resultsFile(`vitest/${project.replace(':', '-')}.json`)
  removeResults(report)
  const ended = await runTool('vitest/vitest.mjs', [
    ...['run', '--config', join(root, 'vitest.workspace.ts'), '--project', project],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  ])
  return vitestOutcome(report, ended)
}
