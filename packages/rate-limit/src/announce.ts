import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Decision } from './decision.js'
import {
  type DescribedPolicy,
  type Header,
  type HeaderStyle,
  headerStyles,
  retryAfterSeconds,
  type WriteHeaders,
} from './headers.js'

/** Tells the client how its quotas stand. */
export class Announcer {
  readonly #styles: readonly WriteHeaders[]

  constructor(styles: false | HeaderStyle | readonly HeaderStyle[]) {
    const names = styles === false ? [] : [styles].flat()
    this.#styles = names.map((name) => headerStyles[name as HeaderStyle])
  }

  /** Adds the headers when the head of the response is written. */
  announce(res: ServerResponse, decision: Decision, policies: readonly DescribedPolicy[]): void {
    if (decision.policies.length === 0 || this.#styles.length === 0) return
    const [first, ...others] = this.#styles
    const headers = first!(decision, policies)
    for (const style of others) headers.push(...style(decision, policies))
    writeLate(res, headers)
  }

  /** What belongs to a refusal; set at once, so that any error handler sends it. */
  refuse(res: ServerResponse, decision: Decision): Record<string, string> {
    const seconds = retryAfterSeconds(decision.retryAfterMs, Math.random())
    if (seconds === undefined) return {}
    const headers = { 'Retry-After': String(seconds) }
    if (!res.headersSent) res.setHeader('Retry-After', headers['Retry-After'])
    return headers
  }
}

type WriteHead = (...args: unknown[]) => ServerResponse

/**
 * Sets headers at the last moment: only then is it known whether a cache may keep the response, and another client
 * must not be told this one's quota. So also a cache in this process, further in, never sees them.
 */
function writeLate(res: ServerResponse, headers: readonly Header[]): void {
  const writeHead = res.writeHead as WriteHead
  const writeHeadWithQuota: WriteHead = (...args) => {
    if (!res.headersSent && !mayBeKept(res, args)) for (const header of headers) add(res, header)
    return writeHead.apply(res, args)
  }
  res.writeHead = writeHeadWithQuota as typeof res.writeHead
}

/** Several limiters share a field: in a list, the first stands first, though it comes last to the head. */
function add(res: ServerResponse, [name, value]: Header): void {
  const others = res.getHeader(name)
  res.setHeader(name, others === undefined || name.startsWith('X-') ? value : `${value}, ${String(others)}`)
}

/** Whether the response says that a cache may answer the next request with it, or that one already has. */
function mayBeKept(res: ServerResponse, args: readonly unknown[]): boolean {
  const explicit = args.at(-1)
  const control = field(res, explicit, 'cache-control')
  if (control !== undefined && /\bno-store\b/i.test(control)) return false
  if (control !== undefined && /\bpublic\b|\bs-maxage\b|\bmax-age\s*=\s*"?0*[1-9]/i.test(control)) return true
  return field(res, explicit, 'expires') !== undefined || field(res, explicit, 'age') !== undefined
}

/** A field that was set, or that is given to `writeHead` in either of its forms. */
function field(res: ServerResponse, explicit: unknown, name: string): string | undefined {
  const value = givenField(explicit, name) ?? res.getHeader(name)
  return value === undefined ? undefined : String(value)
}

function givenField(explicit: unknown, name: string): OutgoingHttpHeader | undefined {
  if (typeof explicit !== 'object' || explicit === null) return undefined
  if (Array.isArray(explicit)) {
    const flat: unknown[] = explicit.flat()
    const index = flat.findIndex((item, at) => at % 2 === 0 && String(item).toLowerCase() === name)
    return index === -1 ? undefined : (flat[index + 1] as OutgoingHttpHeader)
  }
  const headers = explicit as OutgoingHttpHeaders
  return headers[Object.keys(headers).find((key) => key.toLowerCase() === name) ?? '']
}
