type Serializers = Record<string, (value: never) => unknown>

const serializersSymbol = Symbol('@scale/logger serializers')

interface Serializing {
  [serializersSymbol]?: Serializers
}

/** Gives a child serializers besides those of its parent. They see the values as they were given; what they return is made safe. */
export function addSerializers(logger: object, serializers: Serializers): void {
  const all = { ...(logger as Serializing)[serializersSymbol], ...serializers }
  Object.defineProperty(logger, serializersSymbol, { value: all })
}

/** The fields after the serializers of a logger. One that fails leaves its field out. */
export function serialized(logger: object, fields: object): object {
  const serializers = (logger as Serializing)[serializersSymbol]
  if (serializers === undefined) return fields
  const others: Record<string, unknown> = { ...fields }
  for (const name of Object.keys(others)) {
    if (Object.hasOwn(serializers, name)) others[name] = attempt(serializers[name]!, others[name])
  }
  return others
}

function attempt(serialize: (value: never) => unknown, value: unknown): unknown {
  try {
    return serialize(value as never)
  } catch {
    return undefined
  }
}
