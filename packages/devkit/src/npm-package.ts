import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cachedFolder } from './cached-folder.js'

const run = promisify(execFile)
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/scale/npm', import.meta.url))

/**
 * Fetches a package that only one suite or bench needs, and that is too large for everybody's installation: other
 * versions of Node, a process manager to compare with. Kept in the workspace's cache.
 *
 * @param name     of the package
 * @param version  or range, such as `24`
 * @param overrides  versions of what it depends on, by name. Default none
 * @returns its folder
 * @throws {Error} npm could not install it; the message ends with what it said
 */
export async function npmPackage(
  name: string,
  version: string,
  overrides: Readonly<Record<string, string>> = {},
): Promise<string> {
  const folder = await cachedFolder(
    join(CACHE, `${name.replace('/', '+')}@${version}`),
    async (temporary) => {
      await writeFile(join(temporary, 'package.json'), JSON.stringify({ private: true, overrides }))
      const args = [
        'install',
        '--prefix',
        temporary,
        '--no-audit',
        '--no-fund',
        '--omit=dev',
        `${name}@${version}`,
      ]
      await run('npm', args, { cwd: temporary }).catch((error: { stderr?: string }) => {
        throw new Error(`npm could not install ${name}@${version}: ${error.stderr ?? ''}`, { cause: error })
      })
    },
  )
  return join(folder, 'node_modules', name)
}

/** The program of another major of Node, from the npm package `node`. */
export async function nodeBinary(major: number): Promise<string> {
  return join(await npmPackage('node', String(major)), 'bin/node')
}
