import { entriesOf } from '../property.js'
import type { Mapped } from './mapped.js'
import { mappers } from './mappers.js'
import { codeOf, isErrorStatus, phraseOf, sentenceFor } from './status.js'

/** What the client may know of a failure. Every member is checked. */
export interface Problem {
  readonly status: number
  readonly code: string
  readonly type: string
  readonly title: string
  readonly detail: string
  /** Header names and values as the error gave them, to be checked when they are set. */
  readonly headers: unknown
  readonly extensions: readonly [name: string, value: unknown][]
  /** How another server answered, if that is the failure; for the record only. */
  readonly upstreamStatus: number | undefined
}

/** The body of an answer, RFC 9457 §3.1, with `code`, `requestId` and `traceId` as extension members. */
export interface ProblemBody {
  /** URI of the kind of problem, or `about:blank`. */
  type: string
  /** The kind of problem in a few words. */
  title: string
  /** The status of the answer. */
  status: number
  /** What happened, in words for the client; a fixed sentence from status 500 on. */
  detail: string
  /** Path of the request, without its query. */
  instance?: string
  /** Stable name of the failure, to branch on. */
  code: string
  /** The id under which the server has recorded it. */
  requestId?: string
  /** The W3C trace that it belongs to, if something opens request contexts (`requestLogger` of `@scale/logger`). */
  traceId?: string
  [extension: string]: unknown
}

const MAX_DETAIL_LENGTH = 1_024
const MAX_TITLE_LENGTH = 256

/** The problem behind anything thrown: the first mapper that knows it decides. */
export function problemOf(thrown: unknown): Problem {
  for (const map of mappers) {
    const mapped = map(thrown)
    if (mapped !== undefined) return checked(mapped)
  }
  return checked({ status: 500, code: 'ERR_SCALE_INTERNAL' })
}

/**
 * From status 500 on only what belongs to a declared kind of problem, one with a `type`, is shown beside the code.
 */
function checked(mapped: Mapped): Problem {
  const status = isErrorStatus(mapped.status) ? mapped.status : 500
  const type = isProblemType(mapped.type) ? mapped.type : 'about:blank'
  const isPublic = status < 500 || type !== 'about:blank'
  return {
    status,
    type,
    code: isCode(mapped.code) ? mapped.code : codeOf(status),
    title: (isPublic && shortened(mapped.title, MAX_TITLE_LENGTH)) || phraseOf(status),
    detail: (status < 500 && shortened(mapped.detail, MAX_DETAIL_LENGTH)) || sentenceFor(status),
    headers: mapped.headers,
    extensions: isPublic ? entriesOf(mapped.extensions) : [],
    upstreamStatus: mapped.upstreamStatus,
  }
}

function shortened(value: unknown, length: number): string | undefined {
  if (typeof value !== 'string') return undefined
  return value.length <= length ? value : `${value.slice(0, length - 1)}…`
}

/** An absolute URI, or a path on this server, in the characters of RFC 3986. */
export function isProblemType(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= 2_048 &&
    /^(?:[a-z][a-z0-9+.-]*:|\/)(?:[\w.~:/?#[\]@!$&'()*+,;=-]|%[0-9a-f]{2})+$/i.test(value) &&
    URL.canParse(value, 'https://localhost')
  )
}

/** Upper-case letters, digits and `_`, up to 128: what can stand in a log query and a metric label, and is no text. */
export function isCode(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Z][A-Z0-9_]{0,127}$/.test(value)
}
