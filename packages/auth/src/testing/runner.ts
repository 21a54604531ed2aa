/** The functions of a test runner that the contracts need; vitest, jest, mocha and `node:test` have them. */
export interface ContractRunner {
  /** Names a group of tests. */
  describe(name: string, body: () => void): void
  /** Declares one test. */
  it(name: string, body: () => Promise<void>): void
}

let count = 0

/** A name that no other test has. */
export function unique(what: string): string {
  count++
  return `${what}-${process.pid}-${performance.timeOrigin}-${count}`
}
