/** Where the last good values are kept, such as a cache. What it throws is told on a channel and stops nothing. */
export interface StaleStore<Value> {
  /** @returns `undefined` if it has none */
  get(key: string): PromiseLike<Value | undefined> | Value | undefined
  /** Keeps a value; for how long is the store's affair. Nobody waits for it. */
  set(key: string, value: Value): unknown
}
