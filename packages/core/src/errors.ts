/** What every error class of the packages passes to its base. */
export interface ScaleErrorInit {
  /** Stable, upper case, starts with `ERR_SCALE_`. Each code has a section in `docs/errors.md`. */
  code: `ERR_SCALE_${string}`
  /** HTTP status that answers a request which fails with this error, 400–599. Default 500 */
  status?: number
  /** Response headers that belong to the answer, such as `Retry-After`. */
  headers?: Readonly<Record<string, string>>
  /** RFC 9457 `type`: an absolute URI that names the kind of problem. Default `about:blank` */
  type?: string
  /** RFC 9457 `title`: the kind of problem in a few words, the same for each occurrence. */
  title?: string
  /** RFC 9457 extension members, shown to the client. */
  extensions?: Readonly<Record<string, unknown>>
  /** The failure behind this one. Set it whenever another error was caught. */
  cause?: unknown
}

/**
 * The base of every error that a package throws or hands to `next`.
 *
 * An error handler needs no import of the thrower: `code`, `status`, `headers` and the RFC 9457 members
 * are plain properties. The message is shown to clients only below status 500, and never holds a secret.
 */
export class ScaleError extends Error {
  /** Stable, upper case, starts with `ERR_SCALE_`. */
  readonly code: `ERR_SCALE_${string}`
  /** HTTP status, 400–599. */
  readonly status: number
  /** Response headers that belong to the answer. */
  readonly headers: Readonly<Record<string, string>> | undefined
  /** RFC 9457 `type`; `undefined` means `about:blank`. */
  readonly type: string | undefined
  /** RFC 9457 `title`; `undefined` means the phrase of the status. */
  readonly title: string | undefined
  /** RFC 9457 extension members. */
  readonly extensions: Readonly<Record<string, unknown>> | undefined

  constructor(message: string, init: ScaleErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.name = new.target.name
    this.code = init.code
    this.status = init.status ?? 500
    this.headers = init.headers
    this.type = init.type
    this.title = init.title
    this.extensions = init.extensions
  }
}

/** An option has an unknown name, a wrong unit or range, or is missing. Thrown at construction. */
export class InvalidOption extends ScaleError {
  constructor(message: string) {
    super(message, { code: 'ERR_SCALE_INVALID_OPTION' })
  }
}

/** A store that lives in one process was chosen where several processes serve. Thrown at construction. */
export class MemoryStoreRefused extends ScaleError {
  constructor(owner: string, reason: string) {
    super(
      `${owner}: no \`redis\` was given and ${reason}, so each process would keep its own state. ` +
        'Pass `redis`, or set `allowMemoryStore: true` if one process is all there is.',
      { code: 'ERR_SCALE_MEMORY_STORE' },
    )
  }
}
