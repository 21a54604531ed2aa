import type { IncomingMessage } from 'node:http'

/** A place for something of one request, found again by whoever has the request; it is gone with the request. */
export interface RequestSlot<Value> {
  /** `undefined` if nothing was put there. */
  get(req: IncomingMessage): Value | undefined
  set(req: IncomingMessage, value: Value): void
}

/**
 * Makes a place on each request, of which nobody else knows.
 *
 * It is a property of the request's `rawHeaders`, an array that Node makes for each and never changes. On the request
 * itself the same property is twenty times as dear (1.2 µs) up to Node 22: Express gives each request another prototype,
 * and after that V8 before 13 makes a hidden class of its own for every property that is added to every request. A
 * WeakMap is between the two, and a burden on the garbage collector besides.
 *
 * @param name  for whoever looks at a request in a debugger
 */
export function requestSlot<Value>(name: string): RequestSlot<Value> {
  return slotAt(Symbol(name))
}

/** The same under a symbol that others may know. */
export function slotAt<Value>(symbol: symbol): RequestSlot<Value> {
  const key: unique symbol = symbol as never
  type Place = { [key]?: Value | undefined }
  // What is not Node's, such as a request made up for a test, may have no such array.
  const placeOf = (req: IncomingMessage): Place => (req.rawHeaders ?? req) as Place
  return {
    get: (req) => placeOf(req)[key],
    set: (req, value) => {
      placeOf(req)[key] = value
    },
  }
}
