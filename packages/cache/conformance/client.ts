import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Suite } from './report.js'

/** Runs the client of the suite at the path that is given, against a base, and tells its parent what it found. */
const [checkout = '', base = '', only] = process.argv.slice(2)
const load = (file: string) => import(pathToFileURL(join(checkout, file)).href)
const { runTests, getResults } = await load('test-engine/client/runner.mjs')
const all = (await load('tests/index.mjs')).default as readonly Suite[]
const wanted = all.map((suite) => ({
  ...suite,
  tests: suite.tests
    .filter(({ id }) => only === undefined || id === only)
    .map((test) => ({ ...test, dump: only !== undefined })),
}))
await runTests(wanted, false, base)
process.send!(getResults(), () => process.disconnect())
