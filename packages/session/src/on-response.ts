import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/**
 * Calls back once before the headers of a response go out, and once when it is over or its client has gone.
 *
 * Only this response is changed, no prototype. Everything that sends headers comes through `writeHead`.
 */
export function onResponse(
  res: ServerResponse,
  listener: { beforeHeaders: () => void; afterEnd: () => void },
): void {
  const { writeHead } = res
  res.writeHead = function writeHeadWithSession(this: ServerResponse, ...args: unknown[]) {
    res.writeHead = writeHead
    keepCookies(res, args)
    listener.beforeHeaders()
    return Reflect.apply(writeHead, this, args)
  } as typeof res.writeHead
  res.once('close', listener.afterEnd)
}

/** Cookies that are passed to `writeHead` would replace those that were set before. */
function keepCookies(res: ServerResponse, args: unknown[]): void {
  const at = args.length - 1
  const headers = args[at]
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return
  const name = Object.keys(headers).find((candidate) => candidate.toLowerCase() === 'set-cookie')
  if (name === undefined) return
  const { [name]: cookies, ...rest } = headers as OutgoingHttpHeaders
  for (const cookie of [cookies ?? []].flat()) res.appendHeader('Set-Cookie', String(cookie))
  args[at] = rest
}
