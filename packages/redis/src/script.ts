import { createHash } from 'node:crypto'

/** A Lua script, known to the server by its hash. */
export interface Script {
  /** For channel messages: `session.load`. */
  readonly name: string
  readonly lua: string
  /** SHA-1 of the text, in hex: how EVALSHA names it. */
  readonly sha: string
}

/**
 * Declares a script once, as a module constant.
 *
 * A script touches only the keys it is given, and all of them share one hash tag: then it runs in a Cluster.
 *
 * @param name  for channel messages, `<package>.<verb>`
 * @param lua   the text; its first lines say KEYS, ARGV, reply and complexity
 */
export function defineScript(name: string, lua: string): Script {
  return Object.freeze({ name, lua, sha: createHash('sha1').update(lua).digest('hex') })
}
