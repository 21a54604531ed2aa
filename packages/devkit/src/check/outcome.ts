import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../workspace.js'

/** What one check found. */
export interface Outcome {
  passed: number
  failed: number
  /** What a person needs in order to act; shown only if something failed. */
  details: string
}

/** One thing, good if there is nothing to say about it. */
export function outcome(complaint: string): Outcome {
  return complaint === ''
    ? { passed: 1, failed: 0, details: '' }
    : { passed: 0, failed: 1, details: complaint }
}

/** Several things as one. */
export function sum(outcomes: readonly Outcome[]): Outcome {
  return {
    passed: outcomes.reduce((total, { passed }) => total + passed, 0),
    failed: outcomes.reduce((total, { failed }) => total + failed, 0),
    details: outcomes
      .map(({ details }) => details)
      .filter((details) => details !== '')
      .join('\n\n'),
  }
}

/** Where a run leaves its counts for `.ci/run`. */
export function resultsFile(name: string): string {
  return join(root, 'node_modules/.cache', name)
}

export function removeResults(path: string): void {
  rmSync(path, { force: true })
}

export function writeResults(path: string, { passed, failed }: Outcome): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify({ passed, failed })}\n`)
}

/** The counts that vitest's json reporter wrote. A test that was skipped did not pass. */
export function vitestOutcome(path: string, ended: { code: number; output: string }): Outcome {
  const report = readReport(path)
  if (report === undefined) return outcome(`vitest wrote no report:\n${ended.output}`)
  const passed = report.numPassedTests
  const files = report.testResults.filter(({ status, assertionResults }) => {
    return status === 'failed' && assertionResults.every((test) => test.status !== 'failed')
  })
  const failed = report.numTotalTests - passed + files.length
  // An unhandled error fails the run but no test.
  const counted = failed > 0 || (ended.code === 0 && passed > 0) ? failed : 1
  return { passed, failed: counted, details: counted === 0 ? '' : ended.output.trim() }
}

interface Report {
  numTotalTests: number
  numPassedTests: number
  testResults: { status: string; assertionResults: { status: string }[] }[]
}

function readReport(path: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Report
  } catch {
    return undefined
  }
}
