import type { ScaleErrorInit } from '@scale/core'
import { codeOf, type ErrorStatus, phraseOf } from '../problem/status.js'

/** What an `AppError` may carry besides its status and its detail. */
export interface AppErrorInit extends Omit<ScaleErrorInit, 'code' | 'status'> {
  /** Stable name of the failure, upper case, for clients to branch on: `USER_EXISTS`. Default: the status, as `NOT_FOUND` */
  code?: string
  /** When it is worth asking again, in ms from now. Sent as `Retry-After`, rounded up to seconds. Default none */
  retryAfterMs?: number
}

/**
 * An error of the app that is meant for its client.
 *
 * It has the shape of `ScaleError`, with a `code` of the app's own. `detail` is shown below status 500 and is the
 * message of the error: write it for the client, never with a secret. From 500 on the client sees a fixed sentence.
 *
 * @example throw new AppError(409, 'This email has an account already.', { code: 'USER_EXISTS' })
 */
export class AppError extends Error {
  /** Stable name of the failure. */
  readonly code: string
  /** HTTP status, 400–599. */
  readonly status: number
  /** Response headers that belong to the answer. */
  readonly headers: Readonly<Record<string, string>> | undefined
  /** RFC 9457 `type`; `undefined` means `about:blank`. */
  readonly type: string | undefined
  /** RFC 9457 `title`; `undefined` means the phrase of the status. */
  readonly title: string | undefined
  /** RFC 9457 extension members, shown to the client; from 500 on only if there is a `type`. */
  readonly extensions: Readonly<Record<string, unknown>> | undefined

  /** @param detail  one or two sentences for the client. Default: a sentence for the status */
  constructor(status: ErrorStatus, detail?: string, init: AppErrorInit = {}) {
    super(detail ?? phraseOf(status), init.cause === undefined ? undefined : { cause: init.cause })
    this.name = new.target.name
    this.code = init.code ?? codeOf(status)
    this.status = status
    this.headers = headersOf(init)
    this.type = init.type
    this.title = init.title
    this.extensions = init.extensions
  }
}

function headersOf({ headers, retryAfterMs }: AppErrorInit): Readonly<Record<string, string>> | undefined {
  if (retryAfterMs === undefined) return headers
  return { ...headers, 'Retry-After': String(Math.max(0, Math.ceil(retryAfterMs / 1_000))) }
}
