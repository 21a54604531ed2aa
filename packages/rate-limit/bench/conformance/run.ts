import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { testRedis } from '@scale/devkit/redis-server'
import { differences } from './differences.js'

// Runs the suites of express-rate-limit and of rate-limit-redis with our store in the place of theirs:
// `pnpm conformance rate-limit <checkout>`, with a checkout of either whose dependencies are installed. Fails if another test fails than
// those in `differences.ts`, or one of those no longer does.

const [given] = process.argv.slice(2)
const checkout = resolve(given ?? '')
if (given === undefined || !existsSync(`${checkout}/node_modules/jest`)) {
  throw new Error(
    'Name a checkout of express-rate-limit or rate-limit-redis whose dependencies are installed.',
  )
}
const read = (file: string): Record<string, unknown> => JSON.parse(readFileSync(join(checkout, file), 'utf8'))
const suite = String(read('package.json').name)
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
/** What of theirs is replaced by which file of ours. */
const replaced: Record<string, string> =
  suite === 'rate-limit-redis'
    ? { '^ioredis-mock$': 'our-client.cjs', '^\\.\\./source/index\\.js$': 'our-store.cjs' }
    : { '/memory-store\\.js$': 'our-store.cjs' }
const config = read('jest.config.json')
const ours = {
  ...config,
  rootDir: checkout,
  collectCoverage: false,
  testEnvironment: here('environment.ts'),
  // What is ours needs no compiler of theirs.
  transformIgnorePatterns: ['/node_modules/', here('../../../')],
  moduleNameMapper: {
    ...Object.fromEntries(Object.entries(replaced).map(([name, file]) => [name, here(file)])),
    ...(config.moduleNameMapper as object),
  },
}

interface Results {
  testResults: { assertionResults: { fullName: string; status: string; failureMessages: string[] }[] }[]
}

const output = join(await mkdtemp(join(tmpdir(), 'scale-conformance-')), 'results.json')
const redis = await testRedis()
try {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  spawnSync(
    process.execPath,
    [
      ...['--import', tsx, '--conditions=@scale/source', join(checkout, 'node_modules/jest/bin/jest.js')],
      ...['--config', JSON.stringify(ours), '--runInBand', '--json', '--outputFile', output, '--silent'],
    ],
    {
      cwd: checkout,
      stdio: ['ignore', 'ignore', process.env.CONFORMANCE_VERBOSE === undefined ? 'ignore' : 'inherit'],
      env: { ...process.env, CONFORMANCE_REDIS_URL: redis.url, CONFORMANCE_CHECKOUT: checkout },
    },
  )
} finally {
  await redis.stop()
}

const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as Results
const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
const ran = tests.filter(({ status }) => status === 'passed' || status === 'failed')
const known = differences[suite] ?? {}
for (const { fullName, status, failureMessages } of ran) {
  const reason = known[fullName]
  if (status === 'failed') console.log(`✗ ${fullName}: ${reason ?? failureMessages[0]?.split('\n')[0]}`)
  if ((status === 'failed') !== (reason !== undefined)) process.exitCode = 1
}
for (const name of Object.keys(known)) {
  if (ran.some(({ fullName }) => fullName === name)) continue
  console.log(`There is no test «${name}».`)
  process.exitCode = 1
}
console.log(`${ran.filter(({ status }) => status === 'passed').length} of ${ran.length} of ${suite}`)
