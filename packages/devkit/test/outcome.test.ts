import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { outcome, sum, vitestOutcome } from '../src/check/outcome.js'

const folder = mkdtempSync(join(tmpdir(), 'outcome-'))
const path = join(folder, 'report.json')
beforeEach(() => rmSync(path, { force: true }))
afterAll(() => rmSync(folder, { recursive: true }))

/** Writes a report as vitest does: one file per element, one test per status. */
function report(...files: string[][]): void {
  const statuses = files.flat()
  const count = (status: string): number => statuses.filter((one) => one === status).length
  writeFileSync(
    path,
    JSON.stringify({
      numTotalTests: statuses.length,
      numPassedTests: count('passed'),
      testResults: files.map((tests) => ({
        status: tests.length === 0 || tests.includes('failed') ? 'failed' : 'passed',
        assertionResults: tests.map((status) => ({ status })),
      })),
    }),
  )
}

const counts = (code: number) => {
  const { passed, failed } = vitestOutcome(path, { code, output: 'what vitest said' })
  return { passed, failed }
}

describe('vitestOutcome', () => {
  it('counts what passed and what failed', () => {
    report(['passed', 'passed'], ['passed', 'failed'])
    expect(counts(1)).toEqual({ passed: 3, failed: 1 })
  })

  it('finds nothing wrong with a run in which everything passed', () => {
    report(['passed'])
    expect(vitestOutcome(path, { code: 0, output: 'x' })).toEqual({ passed: 1, failed: 0, details: '' })
  })

  it('counts a test that did not run as failed', () => {
    report(['passed', 'skipped', 'todo'])
    expect(counts(0)).toEqual({ passed: 1, failed: 2 })
  })

  it('counts a file that could not be loaded as failed', () => {
    report(['passed'], [])
    expect(counts(1)).toEqual({ passed: 1, failed: 1 })
  })

  it('does not believe a run that ended badly, such as with an unhandled error', () => {
    report(['passed'])
    expect(counts(1)).toEqual({ passed: 1, failed: 1 })
  })

  it('does not believe a run without tests', () => {
    report()
    expect(counts(0)).toEqual({ passed: 0, failed: 1 })
  })

  it('does not believe a run without a report', () => {
    expect(counts(0)).toEqual({ passed: 0, failed: 1 })
    writeFileSync(path, '{"numPassedTests":')
    expect(counts(0)).toEqual({ passed: 0, failed: 1 })
  })
})

it('sum adds counts and keeps every complaint', () => {
  expect(sum([outcome(''), outcome('a'), outcome('b')])).toEqual({ passed: 1, failed: 2, details: 'a\n\nb' })
})
