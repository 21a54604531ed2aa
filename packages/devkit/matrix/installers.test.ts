import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { yarn } from '../packed/yarn.js'
import { tarballOf } from '../src/packing.js'
import { type Ended, pnpm, run } from '../src/run.js'
import { publishedPackages } from '../src/workspace.js'

const tarballs = Object.fromEntries(
  publishedPackages().map((project) => [project.manifest.name, `file:${tarballOf(project)}`]),
)
interface Installer {
  installer: string
  install(folder: string): Promise<Ended>
  node(folder: string, file: string): Promise<Ended>
}

const node: Installer['node'] = (folder, file) => run(process.execPath, [file], { cwd: folder })

const installers: Installer[] = [
  {
    installer: 'npm',
    install: (folder) =>
      run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline'], {
        cwd: folder,
      }),
    node,
  },
  {
    // Nothing is found that is not asked for: no hoisting, and no peers by themselves.
    installer: 'pnpm, strict',
    install: (folder) => {
      const settings = { overrides: tarballs, hoist: false, autoInstallPeers: false }
      writeFileSync(join(folder, 'pnpm-workspace.yaml'), JSON.stringify(settings))
      return pnpm(['install', '--no-frozen-lockfile', '--ignore-scripts', '--prefer-offline'], {
        cwd: folder,
      })
    },
    node,
  },
  {
    installer: 'yarn 1',
    install: (folder) =>
      yarn(1, folder, ['install', '--ignore-scripts', '--non-interactive', '--no-lockfile']),
    node,
  },
  {
    installer: "yarn 4 with Plug'n'Play",
    install: async (folder) => {
      writeFileSync(join(folder, 'yarn.lock'), '')
      return yarn(4, folder, ['install'])
    },
    node: (folder, file) => yarn(4, folder, ['node', file]),
  },
]

const packages = publishedPackages().map((project) => {
  const readme = readFileSync(join(project.folder, 'README.md'), 'utf8')
  const [line = ''] = /^npm install .*$/m.exec(readme) ?? []
  return { name: project.manifest.name, line }
})

describe.each(installers)('$installer', ({ installer, install, node }) => {
  it.each(packages)(
    '$line',
    async ({ line }) => {
      const names = line.split(' ').slice(2)
      const folder = mkdtempSync(join(tmpdir(), 'scale-readme-'))
      const versions = names.map((name) => [name, tarballs[name] ?? '*'])
      const manifest = {
        name: 'reader',
        private: true,
        dependencies: { express: '^5.0.0', ...Object.fromEntries(versions) },
        // What one tarball needs of another is in no registry yet.
        ...(installer === 'npm' ? { overrides: overridesBut(names) } : { resolutions: tarballs }),
      }
      writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
      const load = (way: string): string => names.map((name) => `${way}('${name}')`).join(', ')
      writeFileSync(
        join(folder, 'load.cjs'),
        `Promise.all([${load('require')}, ${load('import')}]).then(() => process.exit())`,
      )
      const installed = await install(folder)
      expect(installed.code, installed.output).toBe(0)
      const { code, output } = await node(folder, 'load.cjs')
      expect(code, output).toBe(0)
      rmSync(folder, { recursive: true, force: true })
    },
    120_000,
  )
})

/** npm takes no override of what is asked for by itself. */
function overridesBut(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(tarballs).filter(([name]) => !names.includes(name)))
}
