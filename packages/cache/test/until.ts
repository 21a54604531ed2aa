import { setTimeout as delay } from 'node:timers/promises'

/** Options of a client: on a machine that stalls now and then, for tests of something else than of what a stall does. */
export const PATIENT = { guard: { deadlineMs: 5_000 } } as const

/** Waits until the condition holds. Fails after 20 s, unless told otherwise. */
export async function until(condition: () => unknown, timeoutMs = 20_000): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error(`never came true: ${condition}`)
    await delay(5)
  }
}

/** A loader that waits to be told what to return. */
export interface Gate<Value> {
  readonly loader: () => Promise<Value>
  readonly promise: Promise<Value>
  /** How often the loader was called. */
  readonly calls: number
  resolve(value: Value): void
  reject(error: unknown): void
}

export function deferred<Value = void>(): Gate<Value> {
  let resolve!: (value: Value) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<Value>((yes, no) => {
    resolve = yes
    reject = no
  })
  let calls = 0
  return {
    promise,
    resolve,
    reject,
    loader: () => {
      calls++
      return promise
    },
    get calls() {
      return calls
    },
  }
}
