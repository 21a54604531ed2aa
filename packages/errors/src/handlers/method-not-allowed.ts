import { METHODS } from 'node:http'
import { InvalidOption } from '@scale/core'
import { MethodNotAllowed } from '../app-error/status-errors.js'
import { MethodsUnknown } from '../errors.js'
import { entriesOf, property } from '../property.js'
import type { PlainMiddleware } from './not-found.js'

/**
 * The last handler of a route: `app.route(path).get(…).patch(…).all(methodNotAllowed())`. Any other method fails
 * with 405 and the `Allow` header that HTTP demands; `OPTIONS` is answered with 204 and the same header, because
 * a route with `all` no longer gets the answer that Express gives by itself.
 *
 * @param methods  what the path allows, for routes that are spread over several calls. Without any, the methods of
 *   the route it ends. `HEAD` comes with `GET`, and `OPTIONS` with all
 * @throws {InvalidOption} a name is not a method of HTTP
 */
export function methodNotAllowed(...methods: readonly string[]): PlainMiddleware {
  const given = methods.map((method) => String(method).toUpperCase())
  if (!given.every((method) => METHODS.includes(method))) {
    throw new InvalidOption(`methodNotAllowed: each argument must be a method of HTTP, such as 'GET'.`)
  }

  return function methodNotAllowed(req, res, next) {
    const known = withHead(given.length > 0 ? given : methodsOf(property(req, 'route')))
    // `app.all()` makes a route that has every method: a method that is allowed cannot come here.
    if (known.length === 0 || known.includes(req.method ?? '')) return next(new MethodsUnknown())
    const allow = [...new Set([...known, 'OPTIONS'])].join(', ')
    if (req.method === 'OPTIONS') {
      res.writeHead(204, { Allow: allow }).end()
      return
    }
    next(
      new MethodNotAllowed('This address does not have that method: see the `Allow` header.', {
        code: 'ERR_SCALE_METHOD_NOT_ALLOWED',
        headers: { Allow: allow },
      }),
    )
  }
}

/** The methods that a route of Express 4 or 5 has handlers for; `all` has no name among them. */
function methodsOf(route: unknown): string[] {
  return entriesOf(property(route, 'methods'))
    .filter(([, isHandled]) => isHandled === true)
    .map(([name]) => name.toUpperCase())
    .filter((name) => METHODS.includes(name))
}

function withHead(methods: readonly string[]): string[] {
  return methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
}
