import { scrubForeign } from './redact.js'

/** What a log line holds of an error. */
export interface ErrorFields {
  /** Name of its class. */
  type: string
  message: string
  stack?: string
  code?: string | number
  [member: string]: unknown
}

/**
 * Members that name a thing of the program or the system. Everything else an error carries stays out: `body`, `headers`,
 * `config`, `request`, `response`, `parameters`, `detail` and whatever else libraries attach.
 */
const MEMBERS = [
  ...[
    'code',
    'status',
    'statusCode',
    'errno',
    'syscall',
    'address',
    'port',
    'hostname',
    'exitCode',
    'signal',
  ],
  // PostgreSQL: names of the schema
  ...['severity', 'schema', 'table', 'column', 'constraint', 'routine'],
  // jose: which claim failed, and how
  ...['claim', 'reason'],
] as const

const MAX_MESSAGE_LENGTH = 1_024
const MAX_FRAMES = 30
const MAX_CAUSES = 5
const MAX_ERRORS = 10
/** Of one tree of causes and aggregates. */
const MAX_DESCRIBED = 25

/**
 * What may be written of an error: its type, its message without secrets, its true stack, its causes, and members that
 * name a thing. Never fails, whatever was thrown.
 *
 * @param scrub  cleans the messages. Default: what is known of secrets and of libraries that quote
 */
export function errorFields(error: unknown, scrub: (text: string) => string = scrubForeign): ErrorFields {
  return describe(error, scrub, MAX_CAUSES, new Set())
}

function describe(
  error: unknown,
  scrub: (text: string) => string,
  depth: number,
  seen: Set<unknown>,
): ErrorFields {
  if (typeof error !== 'object' || error === null)
    return { type: typeof error, message: thrownText(error, scrub) }
  seen.add(error)
  const type = typeOf(error)
  const message = messageOf(error, type, scrub)
  const fields: ErrorFields = { type, message }
  for (const name of MEMBERS) {
    const value = read(error, name)
    if (typeof value === 'string') fields[name] = scrub(value.slice(0, 256))
    else if (typeof value === 'number') fields[name] = value
  }
  const command = read(read(error, 'command'), 'name')
  if (typeof command === 'string') fields.command = scrub(command.slice(0, 64))
  const issues = read(error, 'issues')
  if (Array.isArray(issues))
    fields.issues = issues.slice(0, 20).map((issue) => String(read(issue, 'code') ?? 'issue'))
  fields.stack = stackOf(error, type, message)
  if (depth === 0 || seen.size >= MAX_DESCRIBED) return fields
  const next = (other: unknown): ErrorFields => describe(other, scrub, depth - 1, seen)
  const cause = read(error, 'cause')
  if (cause !== undefined && !seen.has(cause)) fields.cause = next(cause)
  const errors = read(error, 'errors')
  if (Array.isArray(errors) && errors.some(isErrorLike)) {
    fields.errors = errors
      .slice(0, MAX_ERRORS)
      .filter((other) => !seen.has(other) && seen.size < MAX_DESCRIBED)
      .map(next)
  }
  return fields
}

/** The name of a failure, if it has one of the form that programs give: `ERR_SCALE_…`, `LOGIN_FAILED`. */
export function codeOf(error: unknown): string | undefined {
  const code = read(error, 'code')
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,127}$/.test(code) ? code : undefined
}

/** True for what has the shape of an error, whichever realm made it. */
export function isErrorLike(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]'
  } catch {
    return false
  }
}

function typeOf(error: object): string {
  const name = read(error, 'name')
  const type =
    typeof name === 'string' && name !== '' && name !== 'Error'
      ? name
      : read(read(error, 'constructor'), 'name')
  return typeof type === 'string' && /^[\w.$-]{1,64}$/.test(type) ? type : 'Error'
}

/** Some messages are made of what was received: of these only their kind is told. */
function messageOf(error: object, type: string, scrub: (text: string) => string): string {
  const issues = read(error, 'issues')
  if (Array.isArray(issues))
    return `Validation failed (${issues.length} ${issues.length === 1 ? 'issue' : 'issues'}).`
  const kind = read(error, 'type')
  if (
    typeof kind === 'string' &&
    /^(?:entity|encoding|charset|parameters|request|querystring)\./.test(kind)
  ) {
    return `The body could not be read (${kind.slice(0, 64)}).`
  }
  const message = read(error, 'message')
  if (typeof message !== 'string') return type
  return scrub(message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH)}…` : message)
}

/** The frames are the error's own; what stands above them is the message as it was cleaned. */
function stackOf(error: object, type: string, message: string): string {
  const stack = read(error, 'stack')
  const frames = typeof stack === 'string' ? stack.split('\n').filter((line) => /^ {4}at /.test(line)) : []
  return [`${type}: ${message}`, ...frames.slice(0, MAX_FRAMES)].join('\n')
}

function thrownText(thrown: unknown, scrub: (text: string) => string): string {
  return typeof thrown === 'string' ? scrub(thrown.slice(0, MAX_MESSAGE_LENGTH)) : String(thrown)
}

/** A property, `undefined` where asking for it fails. */
function read(value: unknown, name: string): unknown {
  try {
    return (value as Record<string, unknown> | null | undefined)?.[name]
  } catch {
    return undefined
  }
}
