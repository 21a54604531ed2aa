import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tarballOf } from '../src/packing.js'
import { pnpm, run } from '../src/run.js'
import { publishedPackages, root } from '../src/workspace.js'

/** Which majors a consumer has beside our packages, and what it installs with. */
export interface Surroundings {
  express: 4 | 5
  ioredis: 5 | 6
  installer: 'npm' | 'pnpm'
}

/** The versions that this workspace was tested with. */
function installed(name: string): string {
  const manifest = readFileSync(join(root, 'packages/devkit/node_modules', name, 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

/**
 * Installs the packed tarballs into a fresh folder, as a user would install from the registry.
 *
 * @param others  what the consumer needs besides, by name
 */
export async function install(
  { express, ioredis, installer }: Surroundings,
  others: Readonly<Record<string, string>> = {},
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), `scale-express${express}-ioredis${ioredis}-`))
  const tarballs = Object.fromEntries(
    publishedPackages().map((project) => [project.manifest.name, `file:${tarballOf(project)}`]),
  )
  const manifest = {
    name: 'consumer',
    private: true,
    dependencies: {
      ...tarballs,
      '@types/express': express === 4 ? '^4.17.21' : installed('@types/express'),
      '@types/node': installed('@types/node'),
      express: installed(express === 4 ? 'express4' : 'express'),
      ioredis: installed(ioredis === 5 ? 'ioredis5' : 'ioredis'),
      zod: installed('zod'),
      ...others,
    },
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2))
  const { code, output } = installer === 'npm' ? await byNpm(folder) : await byPnpm(folder, tarballs)
  if (code !== 0) throw new Error(`${installer} could not install the tarballs:\n${output}`)
  return folder
}

function byNpm(folder: string): ReturnType<typeof run> {
  const args = [
    'install',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    '--ignore-scripts',
    '--prefer-offline',
  ]
  return run('npm', args, { cwd: folder })
}

/** What one tarball needs of another is in no registry yet, hence the overrides. npm takes what it has at the top. */
function byPnpm(folder: string, tarballs: Record<string, string>): ReturnType<typeof run> {
  writeFileSync(join(folder, 'pnpm-workspace.yaml'), JSON.stringify({ overrides: tarballs }))
  return pnpm(['install', '--no-frozen-lockfile', '--ignore-scripts', '--prefer-offline'], { cwd: folder })
}
