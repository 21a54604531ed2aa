import type { ServerResponse } from 'node:http'
import type { Next } from '@scale/core'
import { InvalidationUnacknowledged } from '../errors.js'
import { resetHead } from '../middleware/capture.js'
import type { ResolvedHttpOptions } from '../middleware/options.js'
import { groupTags, type HttpRequest, originOf, uriOf, uriTag } from './cache-key.js'

/**
 * Invalidates what an unsafe request has changed, if it succeeded, before the client hears of it: the target, what
 * `Location` and `Content-Location` name on the same origin, and the groups that the response names. A client that
 * leaves before the end changes nothing of that: what it asked for may have been done.
 *
 * @param uri         of the target
 * @param options     `query`: parameters that are in keys; `onUnacknowledged`: what the client is told then
 * @param invalidate  resolves with whether the store has acknowledged it
 * @see RFC 9111 §4.4 · RFC 9875 §3
 */
export function invalidateOnSuccess(
  req: HttpRequest,
  res: ServerResponse,
  next: Next,
  uri: string,
  { query, onUnacknowledged }: Pick<ResolvedHttpOptions, 'query' | 'onUnacknowledged'>,
  invalidate: (tags: string[]) => Promise<boolean>,
): void {
  const { end } = res
  const before = { ...res.getHeaders() }
  let ended = false
  const invalidateNow = (): Promise<boolean> => invalidate(tagsOf(req, res, uri, query)).catch(() => false)

  res.end = ((...args: unknown[]) => {
    if (ended) return res
    ended = true
    const go = (acknowledged: boolean): void => {
      res.end = end
      if (acknowledged || onUnacknowledged === 'answer') Reflect.apply(end, res, args)
      // What is under way already cannot be taken back: it breaks off, so that nobody takes it for whole.
      else if (res.headersSent) res.destroy()
      else {
        resetHead(res, before)
        next(new InvalidationUnacknowledged())
      }
    }
    if (hasSucceeded(res)) invalidateNow().then(go)
    else go(true)
    return res
  }) as typeof res.end
  res.once('close', () => {
    if (!ended && hasSucceeded(res)) invalidateNow()
  })
}

function hasSucceeded({ statusCode }: ServerResponse): boolean {
  return statusCode >= 200 && statusCode < 400
}

function tagsOf(
  req: HttpRequest,
  res: ServerResponse,
  uri: string,
  declared: readonly string[] | undefined,
): string[] {
  const origin = originOf(req)
  const tags = new Set([uriTag(uri)])
  for (const name of ['location', 'content-location']) {
    const named = sameOriginUri(req, res.getHeader(name), uri, declared)
    if (named !== undefined) tags.add(uriTag(named))
  }
  const groups = joined(res.getHeader('cache-group-invalidation'))
  return [...tags, ...groupTags(origin, groups)]
}

/** @returns `undefined` for another origin, which one origin must not invalidate */
function sameOriginUri(
  req: HttpRequest,
  field: unknown,
  base: string,
  declared: readonly string[] | undefined,
): string | undefined {
  if (typeof field !== 'string' || !URL.canParse(field, base)) return undefined
  const url = new URL(field, base)
  return url.origin === new URL(base).origin
    ? uriOf(req, `${url.pathname}${url.search}`, declared)
    : undefined
}

function joined(field: unknown): string {
  return field === undefined ? '' : Array.isArray(field) ? field.join(', ') : String(field)
}
