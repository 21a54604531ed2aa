/** The two functions of a test runner that a suite needs: those of vitest, jest and `node:test` fit. */
export interface ContractRunner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>): unknown
}

/** Waits for a condition, and not for a time. @throws {Error} it has not come true in `withinMs` */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs: number = 20_000,
): Promise<void> {
  const endsAt = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > endsAt) throw new Error(`Not true within ${withinMs} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
