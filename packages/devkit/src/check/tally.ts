import { readFileSync } from 'node:fs'
import { type Outcome, outcome, resultsFile, sum, vitestOutcome } from './outcome.js'

// The last line of `.ci/run`: what `pnpm test` and `pnpm check` counted, given how each of them ended.

function checkOutcome(code: number): Outcome {
  try {
    return JSON.parse(readFileSync(resultsFile('check.json'), 'utf8')) as Outcome
  } catch {
    return outcome(`check wrote no counts and ended with ${code}`)
  }
}

const [testCode = 1, checkCode = 1] = process.argv.slice(2).map(Number)
const { passed, failed } = sum([
  vitestOutcome(resultsFile('vitest/test.json'), { code: testCode, output: '' }),
  checkOutcome(checkCode),
])
console.log(`${passed} passed, ${failed} failed`)
