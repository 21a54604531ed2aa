import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cachedFolder } from './cached-folder.js'

const run = promisify(execFile)
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/scale/debian', import.meta.url))

/** Packages of the distribution, unpacked into a folder of their own. */
export interface UnpackedPackages {
  /** The folder that stands for `/`. */
  readonly root: string
  /** Set these for whatever is run from `root`. */
  readonly env: Record<string, string>
  /** The path of a program in one of the `bin` or `sbin` folders of `root`, or `undefined`. */
  program(name: string): string | undefined
}

/**
 * Fetches packages of Debian or Ubuntu, with what they need, and unpacks them into the workspace's cache. What is installed
 * makes no difference, so that a machine with an unmet dependency fares like any other. Needs no root and changes nothing on the machine; no install script is run. Safe to be
 * called by many processes at once; from the second call on it costs a look at the file system.
 *
 * @param names  package names, such as `redis-server`, `nginx`, `postgresql-15`
 * @throws {Error} not a Debian, or `apt-get` failed; the message ends with what it said
 */
export async function unpackDebianPackages(names: readonly string[]): Promise<UnpackedPackages> {
  const folder = join(CACHE, await distribution(), [...names].sort().join('+'))
  return unpackedAt(await cachedFolder(folder, (temporary) => fetchInto(temporary, names)))
}

/** Names the distribution, release and processor, so that a cache shared by two machines is not mixed up. */
async function distribution(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const field = (name: string): string => release.match(new RegExp(`^${name}="?([^"\n]*)`, 'm'))?.[1] ?? ''
  if (!/\b(?:debian|ubuntu)\b/.test(`${field('ID')} ${field('ID_LIKE')}`)) {
    throw new Error('this is neither Debian nor Ubuntu')
  }
  return `${field('ID')}-${field('VERSION_CODENAME')}-${process.arch}`
}

async function fetchInto(folder: string, names: readonly string[]): Promise<void> {
  const work = `${folder}/.apt`
  const archives = `${work}/cache/archives`
  await mkdir(`${work}/lists/partial`, { recursive: true })
  await mkdir(`${archives}/partial`, { recursive: true })
  await writeFile(`${work}/status`, await bareSystem())
  const options = Object.entries({
    'Dir::State': work,
    'Dir::State::status': `${work}/status`,
    'Dir::State::Lists': `${work}/lists`,
    'Dir::Cache': `${work}/cache`,
    // Nothing of the machine's is read or written: so its lock is not ours to take.
    'Debug::NoLocking': 'true',
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
    'Acquire::http::Timeout': '20',
  }).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  await apt([...options, 'update'])
  const install = ['install', '--yes', '--download-only', '--reinstall', '--no-install-recommends']
  await apt([...options, ...install, ...names])
  const packages = (await readdir(archives)).filter((file) => file.endsWith('.deb'))
  for (const file of packages) await run('dpkg', ['-x', `${archives}/${file}`, `${folder}/root`])
  await rm(work, { recursive: true })
}

/**
 * What counts as installed, at whatever version: what install scripts run, which are not run here, and the C library, which has
 * to be that of the machine's own loader. Everything else comes along, whatever the machine has, lacks, or has half
 * configured.
 */
async function bareSystem(): Promise<string> {
  const { stdout } = await run('dpkg', ['--print-architecture'])
  const scripts = [
    'adduser',
    'debconf',
    'dpkg',
    'init-system-helpers',
    'lsb-base',
    'passwd',
    'perl-base',
    'tar',
  ]
  const entries = [['libc6', 'same'], ['perl', 'allowed'], ...scripts.map((name) => [name, 'foreign'])]
  return entries
    .map(
      ([name, multiArch]) =>
        `Package: ${name}\nStatus: install ok installed\nArchitecture: ${stdout.trim()}\nMulti-Arch: ${multiArch}\n` +
        'Version: 999\nMaintainer: nobody\nDescription: of the machine\n',
    )
    .join('\n')
}

async function apt(args: string[]): Promise<void> {
  try {
    await run('apt-get', ['-q', ...args], { env: { ...process.env, LC_ALL: 'C' } })
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string }
    if (code === 'ENOENT') throw new Error('there is no `apt-get`', { cause: error })
    const said = stderr.split('\n').filter((line) => line.startsWith('E: '))
    throw new Error(`\`apt-get\` failed: ${said.join(' ') || `exit code ${code}`}`, { cause: error })
  }
}

async function unpackedAt(folder: string): Promise<UnpackedPackages> {
  const root = join(folder, 'root')
  const libraries: string[] = []
  for (const lib of [`${root}/usr/lib`, `${root}/lib`]) {
    const inside = await readdir(lib).catch((): string[] => [])
    libraries.push(
      lib,
      ...inside.filter((name) => name.includes('-linux-gnu')).map((name) => join(lib, name)),
    )
  }
  const inherited = process.env.LD_LIBRARY_PATH
  return {
    root,
    env: {
      LD_LIBRARY_PATH: [...libraries.filter(existsSync), ...(inherited ? [inherited] : [])].join(delimiter),
    },
    program: (name) =>
      ['usr/bin', 'usr/sbin', 'bin', 'sbin'].map((bin) => join(root, bin, name)).find(existsSync),
  }
}
