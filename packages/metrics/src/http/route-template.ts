import type { IncomingMessage } from 'node:http'

/** What Express adds to a request, as far as templates need it. */
export interface RoutedRequest extends IncomingMessage {
  baseUrl?: string
  route?: { path?: unknown }
  params?: Record<string, string | string[]>
}

/** Where a request is, in the terms of the app: the prefix that the routers around it were mounted at. */
interface Mounts {
  /** What Express has written: holds what the client sent for `:tenant`. */
  baseUrl: string
  /** The same with `:tenant`. */
  template: string
  /** The prefixes around this one, each with its template, innermost last. */
  outer: [baseUrl: string, template: string][]
  /** The last route that was met in a router which has been left since, by `next()` or by an error. */
  leftRoute: unknown
  leftTemplate: string
}

const mountsKey = Symbol('@scale/metrics mounts')

type Watched = RoutedRequest & { [mountsKey]?: Mounts }

/**
 * Follows a request through routers. Express keeps only the prefix of the router that it is in, with the client's values
 * in it, and forgets that when an error handler further out answers; so each change of `baseUrl` is looked at.
 *
 * This request alone is changed, no prototype.
 */
export function watchMounts(req: RoutedRequest): void {
  const watched = req as Watched
  if (watched[mountsKey] !== undefined) return
  const baseUrl = req.baseUrl ?? ''
  watched[mountsKey] = {
    baseUrl,
    template: baseUrl === '' ? '' : templateOf(baseUrl, req.params),
    outer: [],
    leftRoute: undefined,
    leftTemplate: '',
  }
  Object.defineProperty(req, 'baseUrl', property)
}

// One object for all requests: V8 gives them one hidden class.
const property: PropertyDescriptor & ThisType<Watched> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[mountsKey]!.baseUrl
  },
  set(value: string | undefined) {
    const mounts = this[mountsKey]!
    // The outermost router puts back what was there before it: nothing.
    const baseUrl = value ?? ''
    if (baseUrl === mounts.baseUrl) return
    if (baseUrl.length > mounts.baseUrl.length) enter(mounts, baseUrl, this.params)
    else leave(mounts, baseUrl, this.route)
  },
}

function enter(mounts: Mounts, baseUrl: string, params: RoutedRequest['params']): void {
  mounts.outer.push([mounts.baseUrl, mounts.template])
  mounts.template += templateOf(baseUrl.slice(mounts.baseUrl.length), params)
  mounts.baseUrl = baseUrl
}

function leave(mounts: Mounts, baseUrl: string, route: unknown): void {
  if (route !== undefined && route !== mounts.leftRoute) {
    mounts.leftRoute = route
    mounts.leftTemplate = mounts.template
  }
  let outer = mounts.outer.pop()
  while (outer !== undefined && outer[0].length > baseUrl.length) outer = mounts.outer.pop()
  mounts.baseUrl = baseUrl
  mounts.template = outer?.[0] === baseUrl ? outer[1] : ''
}

/**
 * Puts the names of parameters back where the client's values are; the last first, as they stand in the path. A parameter
 * that is not there belongs to a router further out (`mergeParams`).
 */
function templateOf(path: string, params: RoutedRequest['params']): string {
  const names = Object.keys(params ?? {})
  if (names.length === 0) return path
  let template = decoded(path)
  let end = template.length
  for (const name of names.reverse()) {
    const value = params![name]
    const text = Array.isArray(value) ? value.join('/') : value
    const at = text ? template.lastIndexOf(text, end - text.length) : -1
    if (at === -1 || at + text!.length > end) continue
    template = `${template.slice(0, at)}:${name}${template.slice(at + text!.length)}`
    end = at
  }
  return template
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** Where the answer came from; two templates that together name a route. */
export interface Answered {
  /** Of the routers. */
  prefix: string
  /** Of the route itself: what was given to `app.get`; `undefined` if no route matched. */
  path: unknown
}

const unmatched: Answered = Object.freeze({ prefix: '', path: undefined })

export function answeredBy(req: RoutedRequest): Answered {
  const mounts = (req as Watched)[mountsKey]!
  const { route } = req
  if (route === undefined) return unmatched
  return { prefix: route === mounts.leftRoute ? mounts.leftTemplate : mounts.template, path: route.path }
}

/** `/v1` and `/users/:id` make `/v1/users/:id`; the empty text if no route matched. */
export function routeTemplate({ prefix, path }: Pick<Answered, 'prefix' | 'path'>): string {
  if (path === undefined) return ''
  const own = Array.isArray(path) ? path.map(String).join('|') : String(path)
  if (own === '/' && prefix !== '') return prefix
  return prefix + own
}
