/** How keys and tags of the cache itself begin; those of an app cannot. */
export const RESERVED = '\0'
const NAMESPACE = `${RESERVED}n`

/** A part of a cache that can be cleared by itself. */
export interface Namespace {
  /** How its keys begin. */
  readonly prefix: string
  /** What all its entries carry: a tag for each namespace that it lies in, and its own at the end. */
  readonly tags: readonly string[]
}

export const ROOT: Namespace = Object.freeze({ prefix: '', tags: Object.freeze([]) })

/** The namespace of this name inside of another. */
export function within({ prefix, tags }: Namespace, name: string): Namespace {
  const own = prefix === '' ? `${NAMESPACE}${name}${RESERVED}` : `${prefix.slice(0, -1)}/${name}${RESERVED}`
  return { prefix: own, tags: [...tags, own] }
}

/** Path and key of a key in a namespace; `undefined` if it is in none. */
export function pathOf(key: string): readonly [path: string, key: string] | undefined {
  if (!key.startsWith(NAMESPACE)) return undefined
  const end = key.indexOf(RESERVED, NAMESPACE.length)
  return [key.slice(NAMESPACE.length, end), key.slice(end + 1)]
}

/** The key that `pathOf` takes apart. */
export function keyIn(path: string, key: string): string {
  return `${NAMESPACE}${path}${RESERVED}${key}`
}
