import type { ServerResponse } from 'node:http'
import { groupTag, type HttpRequest, originOf, uriOf, uriTag } from './cache-key.js'
import { parseStringList } from './structured-fields.js'

/**
 * Invalidates what an unsafe request has changed, if it succeeded, before the client hears of it: the target, what
 * `Location` and `Content-Location` name on the same origin, and the groups that the response names. A client that
 * leaves before the end changes nothing of that: what it asked for may have been done.
 *
 * @param uri         of the target
 * @param declared    query parameters that are in keys; `undefined` for all
 * @param invalidate  resolves when the store has acknowledged it, or has been given up
 * @see RFC 9111 §4.4 · RFC 9875 §3
 */
export function invalidateOnSuccess(
  req: HttpRequest,
  res: ServerResponse,
  uri: string,
  declared: readonly string[] | undefined,
  invalidate: (tags: string[]) => Promise<unknown>,
): void {
  const { end } = res
  let ended = false
  // That it failed is told where the store is asked; the client gets its answer all the same.
  const invalidateNow = (): Promise<unknown> => invalidate(tagsOf(req, res, uri, declared)).catch(() => {})

  res.end = ((...args: unknown[]) => {
    if (ended) return res
    ended = true
    const go = (): void => {
      res.end = end
      Reflect.apply(end, res, args)
    }
    if (hasSucceeded(res)) invalidateNow().then(go)
    else go()
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
  for (const group of parseStringList(joined(res.getHeader('cache-group-invalidation'))) ?? []) {
    tags.add(groupTag(origin, group))
  }
  return [...tags]
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
