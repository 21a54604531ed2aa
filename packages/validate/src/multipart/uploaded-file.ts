/** A file that came and was stored. In a schema: `z.instanceof(UploadedFile)`, `v.instance(UploadedFile)`. */
export class UploadedFile<Stored = unknown> {
  readonly #stored: Stored

  /**
   * @param name   as the client calls it, without folders: never a path of yours
   * @param type   media type, one of those that its rule has
   * @param bytes  size
   */
  constructor(
    readonly name: string,
    readonly type: string,
    readonly bytes: number,
    stored: Stored,
  ) {
    this.#stored = stored
  }

  /** What `store` made of it. Not enumerable: a body is looked into, and this may be anything. */
  get stored(): Stored {
    return this.#stored
  }
}
