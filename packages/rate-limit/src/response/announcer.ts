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

  /**
   * Adds the headers when the head of the response is written: only then is it known whether a cache may keep the
   * response, and another client must not be told this one's quota. So also a cache in this process, further in, never
   * sees them.
   */
  announce(res: ServerResponse, decision: Decision, policies: readonly DescribedPolicy[]): void {
    if (decision.policies.length === 0 || this.#styles.length === 0) return
    const writeHead = res.writeHead as WriteHead
    let isDone = false
    const writeHeadWithQuota: WriteHead = (...args) => {
      // The first attempt may throw, for a status that is none: what follows must not add to the list again.
      if (!isDone && !mayBeKept(res, args.at(-1))) {
        isDone = true
        for (const style of this.#styles) {
          for (const header of style(decision, policies)) add(res, header)
        }
      }
      return writeHead.apply(res, args)
    }
    res.writeHead = writeHeadWithQuota as typeof res.writeHead
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

/** Several limiters share a field: in a list, the first stands first, though it comes last to the head. */
function add(res: ServerResponse, [name, value]: Header): void {
  const others = name.startsWith('X-') ? undefined : res.getHeader(name)
  res.setHeader(name, others === undefined ? value : `${value}, ${String(others)}`)
}

/**
 * Whether the response says that a cache may answer the next request with it, or that one already has.
 *
 * @param given  the last argument of `writeHead`: an object or a list, if it has fields
 */
function mayBeKept(res: ServerResponse, given: unknown): boolean {
  const control = fieldOf(res, given, 'cache-control')
  if (control !== undefined && /\bno-store\b/i.test(control)) return false
  if (control !== undefined && /\bpublic\b|\bs-maxage\b|\bmax-age\s*=\s*"?0*[1-9]/i.test(control)) return true
  return fieldOf(res, given, 'expires') !== undefined || fieldOf(res, given, 'age') !== undefined
}

/** A field of a response whose head is about to be written: it was set before, or is given with the head. */
function fieldOf(res: ServerResponse, given: unknown, name: string): string | undefined {
  const value = givenField(given, name) ?? res.getHeader(name)
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
