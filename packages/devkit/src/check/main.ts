import { type Outcome, outcome, removeResults, resultsFile, sum, writeResults } from './outcome.js'
import { type Step, steps } from './steps.js'

// `pnpm check`: everything that is not a test of a package. All steps run, so that one answer names all that is red.

async function timed({ name, run }: Step): Promise<Outcome> {
  const start = performance.now()
  const result = await run().catch((error) => outcome(String(error)))
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  const counts =
    result.failed === 0 ? `${result.passed} passed` : `${result.passed} passed, ${result.failed} failed`
  console.log(`${result.failed === 0 ? '✓' : '✗'} ${name.padEnd(20)} ${seconds.padStart(6)} s   ${counts}`)
  if (result.failed > 0) console.log(`${result.details.replace(/^/gm, '    ')}\n`)
  return result
}

const results = resultsFile('check.json')
removeResults(results)

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name))
if (unknown.length > 0) {
  console.error(
    `No such step: ${unknown.join(', ')}. Steps: ${steps.map(({ name }) => `'${name}'`).join(', ')}.`,
  )
  process.exit(2)
}

const outcomes: Outcome[] = []
for (const step of steps) {
  if (wanted.length === 0 || wanted.includes(step.name)) outcomes.push(await timed(step))
}

const total = sum(outcomes)
writeResults(results, total)
console.log(`check: ${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed === 0 ? 0 : 1
