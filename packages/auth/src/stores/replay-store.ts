/** Remembers which proofs were used. */
export interface ReplayStore {
  /**
   * Claims a name for whoever comes first.
   *
   * @param name   up to 64 printable ASCII characters
   * @param ttlMs  for how long it stays claimed, in ms
   * @returns whether nobody had it; no promise if the answer is at hand
   * @throws if that is not known
   */
  claim(name: string, ttlMs: number): boolean | Promise<boolean>
}
