import type { PolicyOptions } from '../options.js'
import { type Addressed, address } from './partition.js'

/**
 * Policies for clients that own more of IPv6 than one prefix: each prefix has a quota, and the wider one that it lies in
 * has a larger quota for all of them together. An IPv4 address has the first quota alone.
 *
 * All are checked and debited together. In a Cluster their keys lie in one slot.
 *
 * @param policy           the quota of the narrowest prefix; the policies are named `name/64` and so on
 * @param options.prefixes lengths in bits, the narrowest prefix first. Default 64, 56 and 48
 * @param options.factor   how many times the quota of a prefix the next wider one has. Default 4
 * @example rateLimit({ redis, policies: addressHierarchy({ name: 'address', quota: 100, windowMs: 60_000 }) })
 */
export function addressHierarchy<Request extends Addressed>(
  policy: Omit<PolicyOptions<Request>, 'quota' | 'partitionKey'> & { quota: number },
  options: { prefixes?: readonly number[]; factor?: number } = {},
): PolicyOptions<Request>[] {
  const { prefixes = [64, 56, 48], factor = 4 } = options
  return prefixes.map((ipv6Prefix, level) => ({
    ...policy,
    name: `${policy.name}/${ipv6Prefix}`,
    quota: policy.quota * factor ** level,
    partitionKey: (req: Request) => {
      const one = address(req, { ipv6Prefix })
      // Only IPv6 has prefixes.
      return level > 0 && !one.text.includes('/') ? false : one
    },
  }))
}
