import type { SessionStore } from '../store.js'
import { dataClauses } from './clauses/data.js'
import { tokenClauses } from './clauses/tokens.js'
import { userClauses } from './clauses/users.js'
import { type Clauses, START } from './subject.js'

/** The functions of a test runner that the contract needs; vitest, jest, mocha and `node:test` have them. */
export interface ContractRunner {
  describe(name: string, body: () => void): void
  it(name: string, body: () => Promise<void>): void
}

/** A store, and the clock that it reads. */
export interface StoreUnderTest {
  /** The same one for the whole suite, or a new one: every test uses ids of its own. */
  store(): SessionStore
  /** Sets the clock, in epoch ms. */
  setClock(nowMs: number): void
}

/** What every session store has to do, clause by clause of `SessionStore`. */
export function sessionStoreContract(runner: ContractRunner, underTest: StoreUnderTest): void {
  const clauses: Clauses = {
    describe: (name, body) => runner.describe(name, body),
    it: (name, body) =>
      runner.it(name, async () => {
        underTest.setClock(START)
        await body(underTest.store())
      }),
    at: (ms) => underTest.setClock(START + ms),
  }
  dataClauses(clauses)
  tokenClauses(clauses)
  userClauses(clauses)
}
