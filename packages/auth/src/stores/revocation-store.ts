/** What a mark says, and for how long it has to. */
export interface Mark {
  /** Everything made up to then is taken back, in epoch ms. `undefined`: up to now, by the store's clock, and `aheadMs` more */
  readonly at: number | undefined
  /** How far the clocks of others may be ahead of the store's, in ms. Counts only where `at` is not given */
  readonly aheadMs: number
  /** How long the mark is kept from now on, in ms, ≥ 1 */
  readonly keptMs: number
  /** Nobody needs it after this, in epoch ms. `undefined`: not known */
  readonly until: number | undefined
}

/**
 * Marks that end by themselves, kept by the user whom they are about. Any store may stand behind; its contract is a
 * suite under `@scale/auth/testing`.
 *
 * The clock is the store's: those who write and those who read may be minutes apart.
 */
export interface RevocationStore {
  /**
   * Sets a mark, or raises one: what it says never goes back, and its end never comes nearer. Atomic, and as good if it is done
   * twice.
   *
   * @param tag   of the user: what is under one tag is read in one step
   * @param name  of the mark, at most 1,024 characters
   * @throws the store's error: then the mark may be there or not; raise it again
   */
  raise(tag: string, name: string, mark: Mark): Promise<void>
  /**
   * Reads marks, in one command.
   *
   * @returns for each name up to when what it names is taken back, in epoch ms; `undefined` where there is no mark. No promise
   * if the answer is at hand
   * @throws the store's error, if it cannot be asked
   */
  get(
    tag: string,
    names: readonly string[],
  ): readonly (number | undefined)[] | Promise<readonly (number | undefined)[]>
}
