import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Entry } from '../entries/entry.js'
import { hideParameters, originOf, wireTags } from '../http/cache-key.js'
import { explained, statusMember } from '../http/cache-status.js'
import type { Fields } from '../http/fields.js'
import { judge, type Refusal, type Storable } from '../http/storability.js'
import type { StoredResponse } from '../http/stored-response.js'
import { hasValidator, isNotModified, validating, validatorsOf, weaklyEqual } from '../http/validation.js'
import { personalField } from '../http/vary.js'
import { serve, serveStale } from './answers.js'
import { type CapturedHead, type CaptureListener, capture, resetHead } from './capture.js'
import { type WatchedInputs, watchInputs } from './inputs.js'
import type { ResolvedHttpOptions } from './options.js'
import { downstreamFields, renewedResponse, responseOf, varyOf, withInherited } from './representation.js'
import type { RunOutcome, Visit } from './visit.js'

/** A run of the handler, for a client or for the cache alone. */
export interface RunTask {
  readonly visit: Visit
  /** The visit's own; another one if the client has been answered already. */
  readonly res: ServerResponse
  readonly options: ResolvedHttpOptions
  readonly stale: Entry | undefined
  /** How the request missed. */
  readonly forward: 'uri-miss' | 'vary-miss' | 'stale'
  /** The first time counts. That it is refused is told as soon as it is known, which may be before the body is. */
  readonly onOutcome: (outcome: RunOutcome) => void
  /** Known before the body is: it will be stored, and is for nobody else. */
  readonly onUnshared: () => void
}

/** Failures for which a stale response may stand in. @see RFC 5861 §4 */
const ERRORS = new Set([500, 502, 503, 504])

/** Runs the handler once, watching what it reads and writes, and says what is to be stored. */
export class HandlerRun implements CaptureListener {
  readonly #task: RunTask
  readonly #isDetached: boolean
  /** Of the outermost mount: what the key was made by, and what is watched. */
  readonly #outer: ResolvedHttpOptions
  #options: ResolvedHttpOptions
  /** Of the client. */
  readonly #headers: IncomingHttpHeaders
  readonly #before: OutgoingHttpHeaders
  readonly #stale: StoredResponse | undefined
  readonly #inputs: WatchedInputs
  readonly #showParameters: () => void
  readonly #startedAt = performance.now()
  #disposition: 'pass' | 'not-modified' | 'revalidated' | 'stale-on-error' = 'pass'
  #verdict: Storable | Refusal | undefined
  #readAtHead = 0

  /** From here on the request is watched. */
  constructor(task: RunTask) {
    const { visit, res, options } = task
    const { req, plan } = visit
    this.#task = task
    this.#isDetached = res !== visit.res
    this.#outer = options
    this.#options = options
    this.#headers = req.headers
    this.#before = { ...res.getHeaders() }
    this.#stale = task.stale?.value as StoredResponse | undefined
    req.headers = validating(req.headers, this.#stale?.validators)
    const { locals } = res as ServerResponse & { locals?: object }
    this.#inputs = watchInputs(req, locals, options, plan.partitioned)
    this.#showParameters = hideParameters(req, plan.hidden, options.query ?? [])
  }

  start(): void {
    const { visit, res } = this.#task
    const { maxBodyBytes } = this.#outer
    capture(res, { maxBodyBytes, before: this.#before, outside: this.#inputs.outside }, this)
    try {
      visit.next()
    } catch (error) {
      if (!this.#isDetached) throw error
      res.destroy()
    }
  }

  /** Another mount of the middleware, further in, is the same visit: it says how the response is stored. */
  adopt(options: ResolvedHttpOptions, tags: readonly string[]): void {
    const { visit } = this.#task
    this.#options = options
    visit.tags = [...new Set([...visit.tags, ...tags])]
  }

  onHead(head: CapturedHead): 'send' | 'pass' | 'swallow' {
    this.#disposition = this.#dispositionOf(head)
    // What leads nowhere may go there.
    if (this.#disposition !== 'pass') return this.#isDetached ? 'send' : 'swallow'
    this.#readAtHead = this.#inputs.log.headers.size
    const verdict = this.#judged(head.status, head.fields)
    this.#verdict = verdict
    if (!verdict.store) this.#task.onOutcome({ kind: 'refused', transient: head.status >= 500 })
    else if (verdict.isNeverFresh) this.#task.onUnshared()
    this.#prepareHead(head, verdict)
    if (!verdict.store) return 'pass'
    const validators = validatorsOf(head.fields)
    const isUnchanged = hasValidator(validators) && isNotModified(this.#headers, validators)
    if (this.#isDetached || head.status !== 200 || !isUnchanged) return 'send'
    this.#disposition = 'not-modified'
    return 'swallow'
  }

  onTooLarge(): void {
    this.#task.onOutcome({ kind: 'refused', transient: false })
  }

  onWritten(): void {
    this.#inputs.stop()
    this.#task.visit.req.headers = this.#headers
    this.#showParameters()
  }

  onEnd(head: CapturedHead, body: Buffer | undefined): void {
    const { visit, res, stale, onOutcome } = this.#task
    if (this.#disposition === 'revalidated') this.#endRevalidated(head)
    else if (this.#disposition === 'stale-on-error') {
      if (!this.#isDetached) {
        resetHead(res, this.#before)
        serveStale(visit.req, res, stale!, this.#options.cacheName)
      }
      onOutcome({ kind: 'stale', entry: stale! })
    } else {
      if (this.#disposition === 'not-modified') sendNotModified(res)
      onOutcome(this.#outcomeOf(head, body))
    }
  }

  onAbort(): void {
    this.onWritten()
    this.#task.onOutcome({ kind: 'aborted' })
  }

  #dispositionOf({ status }: CapturedHead): 'pass' | 'revalidated' | 'stale-on-error' {
    const entry = this.#task.stale
    if (entry === undefined || this.#stale === undefined) return 'pass'
    if (status === 304 && hasValidator(this.#stale.validators)) return 'revalidated'
    const isAllowed = performance.now() < entry.freshUntil + this.#stale.staleIfErrorMs
    return ERRORS.has(status) && isAllowed ? 'stale-on-error' : 'pass'
  }

  #judged(status: number, own: Fields): Storable | Refusal {
    const { log } = this.#inputs
    const { partitioned } = this.#task.visit.plan
    const { headers: declared } = this.#outer
    const fields = withInherited(own, this.#before, this.#options.targets)
    const found = judge(status, fields, this.#options, { declared, partitioned }, Date.now())
    if (!found.store) return found
    const refused = (reason: string, rule: string): Refusal => ({ store: false, reason, rule })
    if (Number(fields.text('content-length') ?? 0) > this.#options.maxBodyBytes)
      return refused('size', 'maxBodyBytes')
    if (log.personal !== undefined)
      return refused(`unkeyed-${log.personal.toLowerCase()}`, `the handler read \`${log.personal}\``)
    const read = [...log.headers]
    const personal = personalField(read, declared)
    const isStrict = [this.#outer, this.#options].some(({ unkeyed }) => unkeyed === 'refuse')
    if (personal !== undefined || (isStrict && read.length > 0))
      return refused(`unkeyed-${personal ?? read[0]}`, 'the handler read a field that is not in the key')
    return { ...found, vary: [...new Set([...found.vary, ...read])].sort() }
  }

  /** What clients and caches downstream are told. */
  #prepareHead({ status, fields }: CapturedHead, found: Storable | Refusal): void {
    const { res, visit, forward } = this.#task
    const { cacheName, targets } = this.#options
    const reason = found.store ? undefined : found.reason
    explained(res, 'miss', reason ?? found.rule, found.rule, found.store)
    if (found.store) {
      const said = (fields.text('vary') ?? '')
        .toLowerCase()
        .split(',')
        .map((name) => name.trim())
      const added = varyOf(status, fields, found, this.#options).filter((name) => !said.includes(name))
      if (added.length > 0) res.appendHeader('Vary', added.join(', '))
    }
    for (const [name, value] of downstreamFields(fields, found, visit, this.#options))
      res.setHeader(name, value)
    if (targets[0] !== undefined) res.removeHeader(targets[0])
    res.appendHeader('Cache-Status', `${cacheName}; ${statusMember.miss(forward, reason)}`)
  }

  #outcomeOf(head: CapturedHead, body: Buffer | undefined): RunOutcome {
    const verdict = this.#verdict
    if (!verdict?.store) return { kind: 'refused', transient: head.status >= 500 }
    const { log } = this.#inputs
    const length = head.fields.text('content-length')
    const isWhole = length === undefined || Number(length) === body?.length
    const hasReadMore = log.personal !== undefined || log.headers.size > this.#readAtHead
    if (body === undefined || !isWhole || hasReadMore) return { kind: 'refused', transient: false }
    return this.#stored(
      responseOf(head, body, verdict, this.#task.visit, this.#options),
      verdict,
      head.fields,
    )
  }

  #stored(response: StoredResponse, found: Storable, fields: Fields): RunOutcome {
    return {
      kind: 'stored',
      response,
      ttlMs: found.lifetimeMs - found.initialAgeMs,
      swrMs: found.staleWhileRevalidateMs,
      costMs: performance.now() - this.#startedAt,
      tags: wireTags(originOf(this.#task.visit.req), fields),
    }
  }

  /** RFC 9111 §4.3.4: the stored body with the new fields. */
  #endRevalidated({ fields }: CapturedHead): void {
    const { visit, res, onOutcome } = this.#task
    const stale = this.#stale!
    const { cacheName } = this.#options
    const answer = (
      response: StoredResponse,
      ageMs: number,
      reason: string,
      ttlMs: number | undefined,
    ): void => {
      if (this.#isDetached) return
      resetHead(res, this.#before)
      explained(res, 'revalidated', reason, 'RFC 9111 §4.3.4', ttlMs !== undefined)
      serve(visit.req, res, response, ageMs, `${cacheName}; ${statusMember.revalidated(ttlMs)}`)
    }
    const etags = [fields.text('etag'), stale.validators.etag]
    const isOther = !etags.includes(undefined) && !weaklyEqual(etags[0]!, etags[1]!)
    const judged = (said: Fields): Storable | Refusal => this.#judged(stale.status, said)
    const { response, found } = renewedResponse(stale, fields, judged, visit, this.#options)
    if (isOther || found === undefined) {
      answer(isOther ? stale : response, 0, 'not-stored', undefined)
      onOutcome({ kind: 'refused', transient: true })
    } else {
      answer(response, found.initialAgeMs, found.rule, found.lifetimeMs - found.initialAgeMs)
      onOutcome(this.#stored(response, found, fields))
    }
  }
}

/** The client has what the handler wrote: its body stays here. @see RFC 9110 §15.4.5 */
function sendNotModified(res: ServerResponse): void {
  res.statusCode = 304
  res.statusMessage = ''
  const ofBody = ['Content-Type', 'Content-Length', 'Content-Encoding', 'Transfer-Encoding', 'Last-Modified']
  for (const name of ofBody) res.removeHeader(name)
  res.end()
}
