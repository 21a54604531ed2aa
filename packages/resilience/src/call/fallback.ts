import { staleFailureChannel } from '../channels.js'
import type { StaleStore } from '../stale-store.js'

/** What a caller is given when a call has failed: a value, the last good one from a store, or what a function makes. */
export type Fallback<Value> =
  | { readonly value: Value }
  | { readonly stale: StaleStore<Value>; readonly key: string }
  | ((error: unknown) => Value | PromiseLike<Value>)

/** Finds what to give in place of a failure; `undefined` if there is nothing. */
export type Substitute<Value> = (
  error: unknown,
) => PromiseLike<{ value: Value } | undefined> | { value: Value } | undefined

export function substituteOf<Value>(
  policy: string,
  fallback: Fallback<Value> | undefined,
): Substitute<Value> | undefined {
  if (fallback === undefined) return undefined
  if (typeof fallback === 'function') return async (error) => ({ value: await fallback(error) })
  if ('value' in fallback) return () => fallback
  return async () => {
    const value = await lastGood(policy, fallback.stale, fallback.key)
    return value === undefined ? undefined : { value }
  }
}

/** Keeps a value. Nobody waits for it: the caller has what it asked for. */
export function keepGood<Value>(policy: string, store: StaleStore<Value>, key: string, value: Value): void {
  new Promise((resolve) => resolve(store.set(key, value))).catch((error) => {
    staleFailureChannel.publish({ policy, operation: 'set', error })
  })
}

export async function lastGood<Value>(
  policy: string,
  store: StaleStore<Value>,
  key: string,
): Promise<Value | undefined> {
  try {
    return await store.get(key)
  } catch (error) {
    staleFailureChannel.publish({ policy, operation: 'get', error })
    return undefined
  }
}

/**
 * Waits no longer for a substitute than it may take.
 *
 * @throws what making it throws
 */
export async function within<Result>(
  ms: number,
  work: PromiseLike<Result> | Result,
): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
