import type { ServerResponse } from 'node:http'
import { groupTag, type HttpRequest, originOf, uriTag } from './plan.js'
import { parseStringList } from './structured-fields.js'

/**
 * Invalidates what an unsafe request has changed, if it succeeded, before the client hears of it: the target, what
 * `Location` and `Content-Location` name on the same origin, and the groups that the response names.
 *
 * @param uri         of the target
 * @param invalidate  resolves when the store has acknowledged it, or has been given up
 * @see RFC 9111 §4.4 · RFC 9875 §3
 */
export function invalidateOnSuccess(
  req: HttpRequest,
  res: ServerResponse,
  uri: string,
  invalidate: (tags: string[]) => Promise<unknown>,
): void {
  const { end } = res
  res.end = ((...args: unknown[]) => {
    res.end = end
    const go = (): void => {
      Reflect.apply(end, res, args)
    }
    if (res.statusCode < 200 || res.statusCode >= 400) go()
    else invalidate(tagsOf(req, res, uri)).then(go, go)
    return res
  }) as typeof res.end
}

function tagsOf(req: HttpRequest, res: ServerResponse, uri: string): string[] {
  const origin = originOf(req)
  const tags = new Set([uriTag(uri)])
  for (const name of ['location', 'content-location']) {
    const named = sameOriginUri(res.getHeader(name), uri, origin)
    if (named !== undefined) tags.add(uriTag(named))
  }
  for (const group of parseStringList(joined(res.getHeader('cache-group-invalidation'))) ?? []) {
    tags.add(groupTag(origin, group))
  }
  return [...tags]
}

/** @returns `undefined` for another origin, which one origin must not invalidate */
function sameOriginUri(field: unknown, base: string, origin: string): string | undefined {
  if (typeof field !== 'string' || !URL.canParse(field, base)) return undefined
  const url = new URL(field, base)
  return url.origin === new URL(origin).origin ? `${origin}${url.pathname}${url.search}` : undefined
}

function joined(field: unknown): string {
  return field === undefined ? '' : Array.isArray(field) ? field.join(', ') : String(field)
}
