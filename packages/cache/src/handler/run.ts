import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Entry } from '../entries/entry.js'
import { serve, serveStale } from '../http/answers.js'
import { type HttpRequest, hideParameters, type Plan } from '../http/cache-key.js'
import { explained, statusMember } from '../http/cache-status.js'
import {
  completed,
  dateLine,
  downstreamFields,
  downstreamLines,
  encodable,
  groupsOf,
  text,
} from '../http/fields.js'
import type { ResolvedHttpOptions } from '../http/options.js'
import { prepared, replaced, type StoredResponse, updatedBy, without } from '../http/stored-response.js'
import { judge, type Refusal, type Storable, storedFields } from '../http/storing.js'
import { isNotModified, weaklyEqual } from '../http/validation.js'
import { personalField } from '../http/vary.js'
import type { RunOutcome } from '../http/visit.js'
import { type CapturedHead, capture, resetHead } from './capture.js'
import { watchInputs } from './inputs.js'

/** A run of the handler, for a client or for the cache alone. */
export interface HandlerRun {
  readonly req: HttpRequest
  readonly res: ServerResponse
  readonly plan: Extract<Plan, { kind: 'cache' }>
  readonly options: ResolvedHttpOptions
  readonly stale: Entry | undefined
  /** How the request missed. */
  readonly forward: 'uri-miss' | 'vary-miss' | 'stale'
  readonly tags: readonly string[]
  /** The client has been answered already. */
  readonly detached: boolean
  /** Runs the handler. */
  readonly next: () => void
  /** The first time counts. That it is refused is told as soon as it is known, which may be before the body is. */
  readonly onOutcome: (outcome: RunOutcome) => void
  /** Known before the body is: it will be stored, and is for nobody else. */
  readonly onUnshared: () => void
}

const CONDITIONS = ['if-none-match', 'if-modified-since', 'if-range', 'range'] as const
/** Failures for which a stale response may stand in. @see RFC 5861 §4 */
const ERRORS = new Set([500, 502, 503, 504])

type Disposition = 'pass' | 'not-modified' | 'revalidated' | 'stale-on-error'

/** Runs the handler once, watching what it reads and writes, and says what is to be stored. */
export function runHandler(task: HandlerRun): void {
  const { req, res, plan, options: outer } = task
  const stale = task.stale?.value as StoredResponse | undefined
  const original = req.headers
  const before: OutgoingHttpHeaders = { ...res.getHeaders() }
  const startedAt = performance.now()
  let disposition: Disposition = 'pass'
  let verdict: Storable | Refusal | undefined
  let readAtHead = 0

  req.headers = handlerHeaders(original, stale)
  const declared = outer.headers
  const { locals } = res as ServerResponse & { locals?: object }
  const inputs = watchInputs(req, locals, outer.unkeyed, declared, plan.partitioned, outer.cookies)
  const showParameters = hideParameters(req, plan.hidden, outer.query ?? [])

  function restore(): void {
    inputs.stop()
    req.headers = original
    showParameters()
  }

  capture(
    res,
    { maxBodyBytes: outer.maxBodyBytes, before, outside: inputs.outside },
    {
      onHead(head) {
        disposition = dispositionOf(head, stale, task.stale)
        // What leads nowhere may go there.
        if (disposition !== 'pass') return task.detached ? 'send' : 'swallow'
        readAtHead = inputs.log.headers.size
        verdict = judged(head.status, head.headers)
        if (!verdict.store) refuse(verdict.reason, head.status >= 500)
        else if (isNeverFresh(verdict)) task.onUnshared()
        const announced = verdict.store ? undefined : verdict.reason
        prepareHead(head, verdict, announced)
        if (!verdict.store) return 'pass'
        if (task.detached) return 'send'
        const validators = {
          etag: text(head.headers.get('etag')),
          lastModified: text(head.headers.get('last-modified')),
          date: text(head.headers.get('date')),
        }
        if (head.status === 200 && hasValidator(validators) && isNotModified(original, validators)) {
          disposition = 'not-modified'
          return 'swallow'
        }
        return 'send'
      },
      onTooLarge() {
        refuse('size', false)
      },
      onWritten: restore,
      onEnd(head, body) {
        const costMs = performance.now() - startedAt
        switch (disposition) {
          case 'revalidated':
            return endRevalidated(head, costMs)
          case 'stale-on-error':
            if (!task.detached) {
              resetHead(res, before)
              serveStale(req, res, task.stale!, task.options.cacheName)
            }
            return task.onOutcome({ kind: 'stale', entry: task.stale! })
          case 'not-modified':
            sendNotModified(res)
        }
        task.onOutcome(outcomeOf(head, body, costMs))
      },
      onAbort() {
        restore()
        task.onOutcome({ kind: 'aborted' })
      },
    },
  )
  task.next()

  function refuse(reason: string, transient: boolean): void {
    task.onOutcome({ kind: 'refused', reason, transient })
  }

  function judged(status: number, own: CapturedHead['headers']): Storable | Refusal {
    const { log } = inputs
    const headers = withInherited(own, before, task.options.targets)
    const found = judge(
      status,
      headers,
      { ...task.options, declared, partitioned: plan.partitioned },
      Date.now(),
    )
    if (!found.store) return found
    const length = Number(text(headers.get('content-length')) ?? 0)
    if (length > task.options.maxBodyBytes) return { store: false, reason: 'size', rule: 'maxBodyBytes' }
    if (log.personal !== undefined) {
      return {
        store: false,
        reason: `unkeyed-${log.personal.toLowerCase()}`,
        rule: `the handler read \`${log.personal}\``,
      }
    }
    const read = [...log.headers]
    const personal = personalField(read, declared)
    if (
      read.length > 0 &&
      ([outer, task.options].some(({ unkeyed }) => unkeyed === 'refuse') || personal !== undefined)
    ) {
      return {
        store: false,
        reason: `unkeyed-${personal ?? read[0]}`,
        rule: 'the handler read a field that is not in the key',
      }
    }
    return { ...found, vary: [...new Set([...found.vary, ...read])].sort() }
  }

  /** What clients and caches downstream are told. */
  function prepareHead(head: CapturedHead, found: Storable | Refusal, refused: string | undefined): void {
    explained(res, {
      decision: 'miss',
      reason: found.store ? found.rule : found.reason,
      rule: found.rule,
      stored: found.store,
    })
    for (const line of downstreamFields(head, found, task)) {
      if (line.append) res.appendHeader(line.name, line.value)
      else res.setHeader(line.name, line.value)
    }
    if (task.options.targets[0] !== undefined) res.removeHeader(task.options.targets[0])
    res.appendHeader('Cache-Status', `${task.options.cacheName}; ${statusMember.miss(task.forward, refused)}`)
  }

  function outcomeOf(head: CapturedHead, body: Buffer | undefined, costMs: number): RunOutcome {
    if (verdict === undefined || !verdict.store) {
      return { kind: 'refused', reason: verdict?.reason ?? 'no-head', transient: head.status >= 500 }
    }
    const declaredLength = text(head.headers.get('content-length'))
    const personal = inputs.log.personal !== undefined || inputs.log.headers.size > readAtHead
    if (
      body === undefined ||
      personal ||
      (declaredLength !== undefined && Number(declaredLength) !== body.length)
    ) {
      return { kind: 'refused', reason: body === undefined ? 'size' : 'incomplete', transient: false }
    }
    const fields = storedFields(head.lines, head.headers.get('connection'), [...verdict.strip, 'vary'])
    const response = prepared({
      status: head.status,
      statusMessage: head.statusMessage,
      headers: completed(
        [...fields, ...downstreamLines(head, verdict, task)],
        head.status,
        body,
        encodable(head, task) ? [...verdict.vary, 'accept-encoding'] : verdict.vary,
      ).filter(([name]) => name.toLowerCase() !== task.options.targets[0]),
      body,
      lifetimeMs: verdict.lifetimeMs,
      isNeverFresh: isNeverFresh(verdict),
      staleIfErrorMs: verdict.staleIfErrorMs,
      vary: verdict.vary,
      encodable: encodable(head, task),
    })
    return stored(response, verdict, head, costMs)
  }

  function stored(response: StoredResponse, found: Storable, head: CapturedHead, costMs: number): RunOutcome {
    return {
      kind: 'stored',
      response,
      ttlMs: found.lifetimeMs - found.initialAgeMs,
      swrMs: found.staleWhileRevalidateMs,
      groups: groupsOf(head),
      costMs,
    }
  }

  /** RFC 9111 §4.3.4: the stored body with the new fields. */
  function endRevalidated(head: CapturedHead, costMs: number): void {
    if (!task.detached) resetHead(res, before)
    const etag = text(head.headers.get('etag'))
    const matches =
      etag === undefined || stale!.validators.etag === undefined || weaklyEqual(etag, stale!.validators.etag)
    const fields = storedFields(head.lines, head.headers.get('connection'), ['vary'])
    const updated = updatedBy(
      stale!,
      fields.some(([name]) => name.toLowerCase() === 'date') ? fields : [...fields, dateLine()],
    )
    const said = new Map(updated.map(([name, value]) => [name.toLowerCase(), value]))
    // What the stored response varies on is in its key already.
    const vary = head.headers.get('vary')
    if (vary === undefined) said.delete('vary')
    else said.set('vary', vary)
    const found = judged(stale!.status, said)
    const added = found.store ? found.vary.filter((name) => !isChosenBy(stale!, name)) : []
    const kept = without(updated, [...task.options.targets.slice(0, 1), ...(found.store ? found.strip : [])])
    const headers = replaced(kept, [
      ...downstreamLines({ ...head, headers: said }, found, task),
      ...(added.length > 0 ? [['Vary', [...stale!.vary, ...added].join(', ')] as const] : []),
    ])
    const response = prepared({ ...stale!, headers: matches ? headers : stale!.headers })
    if (!found.store || !matches || added.length > 0) {
      if (!task.detached) {
        explained(res, {
          decision: 'revalidated',
          reason: 'not-stored',
          rule: 'RFC 9111 §4.3.4',
          stored: false,
        })
        serve(req, res, response, 0, `${task.options.cacheName}; fwd=stale; fwd-status=304`)
      }
      refuse('revalidated', true)
      return
    }
    const renewed = {
      ...response,
      lifetimeMs: found.lifetimeMs,
      isNeverFresh: isNeverFresh(found),
      staleIfErrorMs: found.staleIfErrorMs,
    }
    if (!task.detached) {
      const ttlMs = found.lifetimeMs - found.initialAgeMs
      explained(res, { decision: 'revalidated', reason: found.rule, rule: 'RFC 9111 §4.3.4', stored: true })
      serve(
        req,
        res,
        renewed,
        found.initialAgeMs,
        `${task.options.cacheName}; ${statusMember.revalidated(ttlMs)}`,
      )
    }
    task.onOutcome(stored(renewed, { ...found, vary: stale!.vary }, head, costMs))
  }
}

/** Conditions of the client are evaluated here: the handler would answer 304 to a cache that has nothing. */
function handlerHeaders(
  headers: IncomingHttpHeaders,
  stale: StoredResponse | undefined,
): IncomingHttpHeaders {
  const copy = { ...headers }
  for (const name of CONDITIONS) delete copy[name]
  if (stale?.validators.etag !== undefined) copy['if-none-match'] = stale.validators.etag
  if (stale?.validators.lastModified !== undefined) copy['if-modified-since'] = stale.validators.lastModified
  // Express lets `no-cache` of the client hide that nothing has changed.
  if (stale !== undefined) delete copy['cache-control']
  return copy
}

/**
 * The handler's fields, and those set before it ran that hold for the whole response: a lifetime or a prohibition is no
 * less said for that.
 */
function withInherited(
  own: CapturedHead['headers'],
  before: OutgoingHttpHeaders,
  targets: readonly string[],
): CapturedHead['headers'] {
  const all = new Map(own)
  for (const name of ['cache-control', 'expires', ...targets]) {
    const value = before[name]
    if (value !== undefined && !all.has(name)) all.set(name, Array.isArray(value) ? value : String(value))
  }
  return all
}

function isNeverFresh({ lifetimeMs, initialAgeMs }: Storable): boolean {
  return lifetimeMs <= initialAgeMs
}

/** Whether requests that differ in this field never get the same stored response. */
function isChosenBy({ vary, encodable }: StoredResponse, name: string): boolean {
  return vary.includes(name) || (encodable && name === 'accept-encoding')
}

function dispositionOf(
  head: CapturedHead,
  stale: StoredResponse | undefined,
  entry: Entry | undefined,
): Disposition {
  if (stale === undefined || entry === undefined) return 'pass'
  if (head.status === 304 && hasValidator(stale.validators)) return 'revalidated'
  const allowed = performance.now() < entry.freshUntil + stale.staleIfErrorMs
  return ERRORS.has(head.status) && allowed ? 'stale-on-error' : 'pass'
}

function hasValidator({
  etag,
  lastModified,
}: {
  etag: string | undefined
  lastModified: string | undefined
}): boolean {
  return etag !== undefined || lastModified !== undefined
}

/** The client has what the handler wrote: its body stays here. @see RFC 9110 §15.4.5 */
function sendNotModified(res: ServerResponse): void {
  res.statusCode = 304
  res.statusMessage = ''
  for (const name of [
    'Content-Type',
    'Content-Length',
    'Content-Encoding',
    'Transfer-Encoding',
    'Last-Modified',
  ]) {
    res.removeHeader(name)
  }
  res.end()
}
