/** A request of Express 4 or 5, as far as its route is concerned. */
export interface RoutedRequest {
  originalUrl?: string
  route?: { path?: unknown }
  app?: unknown
}

/** A layer of a router of Express 4 or 5; `rawPath` is there from router 2.3 on. */
interface Layer {
  route?: object
  handle?: { stack?: Layer[] }
  rawPath?: unknown
  path?: string
  params?: Record<string, unknown>
  match?(path: string): boolean | Partial<Match>
}

interface Match {
  path: string
  params: Record<string, unknown>
}

interface App {
  _router?: { stack?: Layer[] }
  router?: { stack?: Layer[] }
  mountpath?: unknown
  parent?: App
}

/** A template once worked out, by the route. Only for routes that are mounted in one place. */
const known = new WeakMap<object, string>()

/**
 * The template of the route that answers a request, through all routers: `/v1/users/:id`. It is bounded by the
 * program, and holds nothing of the URL.
 *
 * It may be asked at any time after the route began, also when an error has left the router again. Where a router
 * hides in a function, so that its mount cannot be seen, that part is `*`.
 *
 * @param app  the app that the request came to first. Default: the one that has it now, `req.app`
 * @returns `undefined` if no route took the request
 */
export function routeTemplate(req: RoutedRequest, app: unknown = req.app): string | undefined {
  const { route } = req
  if (route === undefined || route === null) return undefined
  return known.get(route) ?? workOut(route, req, app as App)
}

function workOut(route: { path?: unknown }, req: RoutedRequest, app: App): string {
  const own = pathText(route.path)
  for (const [root, prefix] of rootsOf(req.app as App, app)) {
    const chains = chainsTo(route, stackOf(root), 0)
    const mount = firstDefined(chains, (chain) => mountTemplate(chain, pathOf(req), prefix))
    if (mount === undefined) continue
    const template = mount === '' ? own : own === '/' ? mount : mount + own
    if (chains.length === 1) known.set(route, template)
    return template
  }
  return `*${own}`
}

/** The app that has the request now may be one that is mounted in the other. */
function rootsOf(current: App | undefined, first: App | undefined): [app: App, prefix: string][] {
  const roots: [App, string][] = []
  if (current !== undefined && current !== first) roots.push([current, mountOf(current, first)])
  if (first !== undefined) roots.push([first, ''])
  return roots
}

function mountOf(app: App, first: App | undefined): string {
  if (app === first || app.parent === undefined) return ''
  const path = pathText(app.mountpath)
  return mountOf(app.parent, first) + (path === '/' ? '' : path)
}

/** Express 4 throws where 5 has its router, and has it elsewhere. */
function stackOf(app: App): Layer[] {
  try {
    return (app._router ?? app.router)?.stack ?? []
  } catch {
    return []
  }
}

const MAX_DEPTH = 16

/** Every way through routers to the layer of this route. */
function chainsTo(route: object, stack: Layer[], depth: number): Layer[][] {
  if (depth > MAX_DEPTH) return []
  return stack.flatMap((layer) => {
    if (layer.route === route) return [[]]
    const inner = layer.route === undefined ? layer.handle?.stack : undefined
    return inner === undefined ? [] : chainsTo(route, inner, depth + 1).map((chain) => [layer, ...chain])
  })
}

/** `undefined` if this request cannot have come this way. */
function mountTemplate(chain: Layer[], path: string, prefix: string): string | undefined {
  // Below a mounted app the rest of the path is not known: there only the router's own text helps.
  if (prefix !== '')
    return joined(
      prefix,
      chain.map(({ rawPath }) => literalOf(rawPath)),
    )
  const parts: (string | undefined)[] = []
  let rest = path
  for (const layer of chain) {
    const match = matchOf(layer, rest)
    if (match === undefined) return undefined
    parts.push(literalOf(layer.rawPath) ?? probedTemplate(layer, match))
    rest = rest.slice(match.path.length) || '/'
  }
  return joined('', parts)
}

function joined(prefix: string, parts: (string | undefined)[]): string | undefined {
  return parts.includes(undefined) ? undefined : prefix + parts.join('')
}

function literalOf(rawPath: unknown): string | undefined {
  if (typeof rawPath !== 'string') return undefined
  return rawPath === '/' ? '' : rawPath
}

/** Router 2.3 returns what matched; those before it leave it on the layer. */
function matchOf(layer: Layer, path: string): Match | undefined {
  const match = layer.match?.(path)
  if (!match) return undefined
  const { path: matched = '', params = {} } = match === true ? layer : match
  return { path: matched, params: { ...params } }
}

const PROBE = '0probe0'

/**
 * The template of a mount that only its behaviour tells. A segment is a parameter if the layer takes another word in
 * its place; where a pattern refuses the word, if it is the parameter's value. A segment that is none is written in small letters
 * where capitals would do as well: how a client spells it is no part of the program.
 */
function probedTemplate(layer: Layer, { path, params }: Match): string {
  const segments = path.split('/')
  const names = segments.map((segment, index) => {
    const probed = segment === '' ? undefined : matchOf(layer, segments.with(index, PROBE).join('/'))
    return Object.entries(probed?.params ?? {}).find(([, value]) => value === PROBE)?.[0]
  })
  const refused = Object.entries(params).filter(([name]) => !names.includes(name))
  return segments
    .map((segment, index) => {
      const name = names[index] ?? refused.find(([, value]) => value === segment)?.[0]
      if (name !== undefined) return `:${name}`
      const partial = partOf(layer, segments, index, refused)
      if (partial !== undefined) return partial
      const other = segments.with(index, otherCase(segment)).join('/')
      return matchOf(layer, other) === undefined ? segment : segment.toLowerCase()
    })
    .join('/')
}

/** A piece of a segment: a parameter's value, or, without a name, what the program wrote. */
interface Piece {
  text: string
  name?: string
}

/** A segment of which parameters are a part, such as `:from-:to`. A value may be elsewhere in it too: where, is tried. */
function partOf(
  layer: Layer,
  segments: readonly string[],
  index: number,
  params: readonly [name: string, value: unknown][],
): string | undefined {
  const take = (text: string): Match | undefined =>
    matchOf(layer, segments.with(index, text.replace(/[%/?#]/g, encodeURIComponent)).join('/'))
  let pieces: Piece[] = [{ text: decoded(segments[index]!) }]
  for (const [name, value] of params) {
    if (typeof value === 'string' && value !== '') pieces = split(pieces, name, value, take)
  }
  if (pieces.length === 1) return undefined
  const isAnyCase = take(textOf(pieces, otherCase)) !== undefined
  return pieces
    .map(({ name, text }) => (name !== undefined ? `:${name}` : isAnyCase ? text.toLowerCase() : text))
    .join('')
}

function split(
  pieces: Piece[],
  name: string,
  value: string,
  take: (text: string) => Match | undefined,
): Piece[] {
  for (const [index, { text, name: known }] of pieces.entries()) {
    const [left, right] = [pieces.slice(0, index), pieces.slice(index + 1)]
    for (
      let at = known === undefined ? text.indexOf(value) : -1;
      at !== -1;
      at = text.indexOf(value, at + 1)
    ) {
      const [before, after] = [{ text: text.slice(0, at) }, { text: text.slice(at + value.length) }]
      const probed = take(textOf([...left, before, { text: PROBE }, after, ...right]))
      if (probed?.params[name] === PROBE) return [...left, before, { text: value, name }, after, ...right]
    }
  }
  return pieces
}

function textOf(pieces: readonly Piece[], written: (text: string) => string = (text) => text): string {
  return pieces.map(({ text, name }) => (name === undefined ? written(text) : text)).join('')
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** The same word in the other case. */
function otherCase(word: string): string {
  const upper = word.toUpperCase()
  return upper === word ? word.toLowerCase() : upper
}

function pathText(path: unknown): string {
  return Array.isArray(path) ? path.map(pathText).join('|') : String(path ?? '')
}

function pathOf({ originalUrl = '/' }: RoutedRequest): string {
  const path = originalUrl.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  return path === '' ? '/' : path
}

function firstDefined<Item, Result>(
  items: readonly Item[],
  pick: (item: Item) => Result | undefined,
): Result | undefined {
  for (const item of items) {
    const result = pick(item)
    if (result !== undefined) return result
  }
  return undefined
}
