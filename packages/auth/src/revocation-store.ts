/**
 * Marks that end by themselves, kept by the user whom they are about. Any store may stand behind; its contract is a
 * suite under `@scale/auth/testing`.
 */
export interface RevocationStore {
  /**
   * Sets a mark, or sets it anew.
   *
   * @param tag    of the user: what is under one tag is read in one step
   * @param name   of the mark, at most 1,024 characters
   * @param value  not empty
   * @param ttlMs  ≥ 1; when this has passed the mark is gone
   */
  set(tag: string, name: string, value: string, ttlMs: number): Promise<void>
  /**
   * Reads marks, in one command.
   *
   * @returns for each name its value, `undefined` where there is none. No promise if the answer is at hand
   * @throws the store's error, if it cannot be asked
   */
  get(
    tag: string,
    names: readonly string[],
  ): readonly (string | undefined)[] | Promise<readonly (string | undefined)[]>
}
