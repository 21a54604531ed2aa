import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig, type TestProjectInlineConfiguration, type ViteUserConfig } from 'vitest/config'

// Vitest finds no config under this name by itself: every script names it with --config.

const root = fileURLToPath(new URL('.', import.meta.url))

/** One project per folder that has tests. Tests run on the sources, not on `dist`. */
function project(folder: string, name: string, tests: string): TestProjectInlineConfiguration {
  return {
    extends: true,
    root: `${root}${folder}`,
    test: { name, include: [tests] },
  }
}

const folders = ['packages', 'examples'].flatMap((parent) =>
  readdirSync(`${root}${parent}`)
    .map((name) => `${parent}/${name}`)
    .filter((folder) => existsSync(`${root}${folder}/test`)),
)

/** What its tests start looks for a Redis server on the PATH, as it does for whoever copied it. */
function withRedisOnPath({ test, ...rest }: TestProjectInlineConfiguration): TestProjectInlineConfiguration {
  return { ...rest, test: { ...test, globalSetup: `${root}packages/devkit/src/dev/redis-on-path.ts` } }
}

/** What it tests is packed first. */
function packed(name: string, tests: string): TestProjectInlineConfiguration {
  const { test, ...rest } = project('packages/devkit', name, tests)
  return { ...rest, test: { ...test, globalSetup: `${root}packages/devkit/packed/setup.ts` } }
}

/**
 * The suites run on the newest Express and ioredis unless the environment names an older major: `EXPRESS_MAJOR=4`,
 * `IOREDIS_MAJOR=5`. Tests that compare two majors import them by their own names, `express4` and `ioredis5`.
 */
function olderMajors(): Record<string, string> {
  const installed = (name: string): string => realpathSync(`${root}packages/devkit/node_modules/${name}`)
  return {
    ...(process.env.EXPRESS_MAJOR === '4' && { express: installed('express4') }),
    ...(process.env.IOREDIS_MAJOR === '5' && { ioredis: installed('ioredis5') }),
  }
}

const config: ViteUserConfig = defineConfig({
  resolve: {
    conditions: ['@scale/source', 'node'],
    alias: Object.entries(olderMajors()).map(([name, replacement]) => ({
      find: new RegExp(`^${name}$`),
      replacement,
    })),
  },
  ssr: {
    resolve: {
      conditions: ['@scale/source', 'node'],
    },
  },
  test: {
    projects: [
      ...folders.map((folder) => {
        const suite = project(folder, folder.slice(folder.indexOf('/') + 1), 'test/**/*.test.ts')
        return folder.startsWith('examples/users-profile') ? withRedisOnPath(suite) : suite
      }),
      project('packages/devkit', 'check:rules', 'rules/**/*.test.ts'),
      project('packages/devkit', 'check:site', 'site/**/*.test.ts'),
      packed('check:packed', 'packed/**/*.test.ts'),
      // By itself, at night: every tool that loads a package.
      packed('check:matrix', 'matrix/**/*.test.ts'),
    ],
    pool: 'forks',
    // Suites mostly wait, for servers and for time: on two cores, two files at a time halve the run.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})

export default config
