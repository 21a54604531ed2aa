/**
 * The end of a prototype chain that hands unknown properties to `data`: middleware written for express-session keeps
 * its state right on the session (`req.session.passport`, `req.session.flash`). Known properties never get here, so
 * they cost nothing.
 */
export const Passthrough: new () => object = passthrough()

function passthrough(): new () => object {
  function Passthrough(): void {}
  Passthrough.prototype = new Proxy(Object.prototype, {
    get: (target, name, receiver) =>
      isData(target, name, receiver) ? ownValue(receiver.data, name) : Reflect.get(target, name, receiver),
    has: (target, name) => Reflect.has(target, name),
    set: (target, name, value, receiver) => {
      if (!isData(target, name, receiver)) return Reflect.set(target, name, value, receiver)
      receiver.data[name] = value
      return true
    },
  })
  return Passthrough as unknown as new () => object
}

/** An object whose class keeps properties in `data`. */
interface Holder {
  data: Record<string, unknown>
}

// `then` would make every session a promise to look into.
function isData(target: object, name: PropertyKey, receiver: unknown): name is string & keyof Holder {
  return typeof name === 'string' && name !== 'then' && !(name in target) && isHolder(receiver)
}

/** Prototypes have no data of their own. */
function isHolder(receiver: unknown): receiver is Holder {
  return typeof receiver === 'object' && receiver !== null && !Object.hasOwn(receiver, 'constructor')
}

function ownValue(data: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(data, name) ? data[name] : undefined
}
