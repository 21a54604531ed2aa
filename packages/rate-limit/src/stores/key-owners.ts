import { InvalidOption } from '@scale/core'

/** By where quotas are kept, and there by prefix and name. Weak: a limiter that nobody can reach any more owns nothing. */
const owners = new WeakMap<object, Map<string, WeakRef<object>>>()

/** Where quotas are kept that no client and no store keeps. */
const thisProcess = {}

/**
 * Makes a limiter the only one that counts under its name: two of them would spend each other's quotas. In the process's own store
 * they would not, but what is refused only once there is a client is found too late.
 *
 * @param place  the client or the store; `undefined` for this process
 * @param name   of the limiter, under its prefix
 * @returns what gives the name up
 * @throws {InvalidOption} another limiter has it, is in use and not closed
 */
export function ownKeys(
  owner: object,
  place: object = thisProcess,
  { prefix, name }: { prefix: string; name: string },
): () => void {
  let owned = owners.get(place)
  if (owned === undefined) {
    owned = new Map()
    owners.set(place, owned)
  }
  for (const [base, other] of owned) if (other.deref() === undefined) owned.delete(base)
  const base = `${prefix} ${name}`
  if (owned.has(base)) {
    throw new InvalidOption(
      `rateLimit: another limiter is named \`${name}\` and would spend the same quotas. Give each a \`name\` of its own; ` +
        'where this one takes the place of the other, call `close()` on that first.',
    )
  }
  const own = new WeakRef(owner)
  owned.set(base, own)
  return () => {
    if (owned.get(base) === own) owned.delete(base)
  }
}
