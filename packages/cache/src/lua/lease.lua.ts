import { defineScript, type Script } from '@scale/redis'

/** Stores a frame if the lease still stands. */
export const fillScript: Script = defineScript(
  'cache.fill',
  `-- KEYS[1] value  KEYS[2] lease
-- ARGV[1] token  ARGV[2] frame  ARGV[3] lifetime in ms
-- Reply: 1 if stored. O(1).
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1`,
)

/** Prolongs a lease, or ends it. */
export const renewScript: Script = defineScript(
  'cache.renew',
  `-- KEYS[1] lease
-- ARGV[1] token  ARGV[2] lease in ms; 0 ends it
-- Reply: 1 if it was held. O(1).
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`,
)

/** Stores a frame whatever is being loaded. */
export const putScript: Script = defineScript(
  'cache.put',
  `-- KEYS[1] value  KEYS[2] lease
-- ARGV[1] frame  ARGV[2] lifetime in ms
-- Reply: 1. O(1).
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return 1`,
)
