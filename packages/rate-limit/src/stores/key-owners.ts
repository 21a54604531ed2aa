import { InvalidOption } from '@scale/core'

/** By where quotas are kept, and there by what keys begin with. Weak: a limiter that nobody can reach any more owns nothing. */
const owners = new WeakMap<object, Map<string, WeakRef<object>>>()

/** Where quotas are kept that no client and no store keeps. */
const thisProcess = {}

/**
 * Makes a limiter the only one that counts under some keys: two of them would spend each other's quotas. In the process's own store
 * they would not, but what is refused only once there is a client is found too late.
 *
 * @param place   the client or the store; `undefined` for this process
 * @param base    what the keys have in common
 * @param advice  what to do if another one has them
 * @returns what gives them up
 * @throws {InvalidOption} another limiter has them, is in use and not closed
 */
export function ownKeys(
  owner: object,
  place: object = thisProcess,
  base: string,
  advice: string,
): () => void {
  let owned = owners.get(place)
  if (owned === undefined) {
    owned = new Map()
    owners.set(place, owned)
  }
  for (const [other, had] of owned) if (had.deref() === undefined) owned.delete(other)
  if (owned.has(base)) throw new InvalidOption(advice)
  const own = new WeakRef(owner)
  owned.set(base, own)
  return () => {
    if (owned.get(base) === own) owned.delete(base)
  }
}
