import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unpackDebianPackages } from '@scale/devkit/debian'

const run = promisify(execFile)

/** The programs of Prometheus, and a folder in which they work. */
export interface Prometheus {
  folder: string
  program: string
  env: NodeJS.ProcessEnv
  /** What it said on both streams. @throws {Error} it ended with another code than 0 */
  promtool(args: string[], input?: string): Promise<string>
  /** Takes the folder away, when nothing works in it any more. */
  remove(): Promise<void>
}

export async function unpackPrometheus(): Promise<Prometheus> {
  const { program, env: own } = await unpackDebianPackages(['prometheus'])
  const env = { ...process.env, ...own }
  const folder = await mkdtemp(join(tmpdir(), 'scale-metrics-'))
  return {
    folder,
    env,
    program: program('prometheus')!,
    remove: () => rm(folder, { recursive: true, force: true }),
    promtool: async (args, input) => {
      const child = run(program('promtool')!, args, { env, cwd: folder })
      child.child.stdin!.end(input ?? '')
      const { stdout, stderr } = await child.catch((error) => {
        throw new Error(`promtool ${args.join(' ')}: ${error.stdout}${error.stderr}`)
      })
      return stdout + stderr
    },
  }
}
