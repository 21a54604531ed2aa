import { setOwn } from '../data/merge.js'

/** What stands behind a session as handlers see it. */
export interface Facaded {
  /** May be looked at without being used: a look for a name is no use of it. */
  data: Record<string, unknown>
}

/**
 * `req.session`: one object that is both the session's own properties and methods, and the top-level keys of its data,
 * as middleware for express-session expects it: `delete`, `in`, enumeration, spread and JSON see the data. A name that
 * the session has itself is never that of a key here; `session.data` has them all.
 *
 * @param names  what the session has itself
 */
export function facade<Target extends Facaded>(target: Target, names: ReadonlySet<PropertyKey>): Target {
  return new Proxy(target, handlerFor(names)) as Target
}

const BEHIND: unique symbol = Symbol('behind the facade')

/** What stands behind a facade; `undefined` if a value is none. */
export function behind(value: unknown): unknown {
  return (value as { [BEHIND]?: unknown } | null | undefined)?.[BEHIND]
}

const handlers = new WeakMap<ReadonlySet<PropertyKey>, ProxyHandler<Facaded>>()

function handlerFor(names: ReadonlySet<PropertyKey>): ProxyHandler<Facaded> {
  const known = handlers.get(names)
  if (known !== undefined) return known
  const isKey = (name: PropertyKey): name is string => typeof name === 'string' && !names.has(name)
  const handler: ProxyHandler<Facaded> = {
    get: (target, name, receiver) => {
      if (name === BEHIND) return target
      if (!names.has(name)) {
        if (typeof name === 'string' && Object.hasOwn(target.data, name)) return target.data[name]
        return Reflect.get(Object.prototype, name, receiver)
      }
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
    set: (target, name, value) => {
      if (name === 'data') return Reflect.set(target, name, value, target)
      if (!isKey(name)) return false
      setOwn(target.data, name, value)
      return true
    },
    has: (target, name) =>
      names.has(name) || (isKey(name) && Object.hasOwn(target.data, name)) || name in Object.prototype,
    deleteProperty: (target, name) => isKey(name) && Reflect.deleteProperty(target.data, name),
    defineProperty: (target, name, descriptor) =>
      isKey(name) && Reflect.defineProperty(target.data, name, { ...descriptor, configurable: true }),
    ownKeys: (target) => Object.keys(target.data).filter(isKey),
    getOwnPropertyDescriptor: (target, name) => {
      if (!isKey(name)) return undefined
      const own = Reflect.getOwnPropertyDescriptor(target.data, name)
      return own && { ...own, configurable: true }
    },
    preventExtensions: () => false,
    setPrototypeOf: () => false,
  }
  handlers.set(names, handler)
  return handler
}
