import type { CallVariant, Variants } from '@scale/devkit/bench'
import { bento, cacheable, cacheManager, type MakeGetOrSet, profile, scale } from './variants.js'

/** Asks for ten values in turn, which are in the process after the first time. */
function calls(make: MakeGetOrSet): CallVariant {
  return {
    prepare: async (redisUrl) => {
      const getOrSet = await make(redisUrl)
      return (number) => {
        const id = String(number % 10)
        return getOrSet(`profile:${id}`, async () => profile(id))
      }
    },
  }
}

/** Hits in the process, without a server: what a call costs is too little to be seen in a request. */
export const variants: Variants<CallVariant> = {
  nothing: calls(async () => async () => undefined),
  'function, L1 hit': calls(scale()),
  'bentocache, L1 hit': calls(bento('both')),
  'cacheable, L1 hit': calls(cacheable),
  'cache-manager, L1 hit': calls(cacheManager('both')),
}
