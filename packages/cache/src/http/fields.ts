/** A response field: name as the handler wrote it, and its value or values. */
export type HeaderLine = readonly [name: string, value: string | readonly string[]]

/** Fields of a response: found by their names in lower case, kept as they were written. */
export class Fields {
  readonly #lines = new Map<string, HeaderLine>()

  /** @param lines  of two with one name the later counts */
  constructor(lines: Iterable<HeaderLine> = []) {
    for (const [name, value] of lines) this.set(name, value)
  }

  get lines(): HeaderLine[] {
    return [...this.#lines.values()]
  }

  has(name: string): boolean {
    return this.#lines.has(name)
  }

  get(name: string): string | readonly string[] | undefined {
    return this.#lines.get(name)?.[1]
  }

  /** A field as one line. */
  text(name: string): string | undefined {
    const value = this.get(name)
    return value === undefined || typeof value === 'string' ? value : value.join(', ')
  }

  /** @param name  in any case */
  set(name: string, value: string | readonly string[]): void {
    this.#lines.set(name.toLowerCase(), [name, value])
  }

  /** The fields but those of some names. */
  without(names: Iterable<string>): Fields {
    const rest = new Fields(this.#lines.values())
    for (const name of names) rest.#lines.delete(name)
    return rest
  }
}
