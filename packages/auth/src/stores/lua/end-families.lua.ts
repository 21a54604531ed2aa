import { defineScript, type Script } from '@scale/redis'
import { NOW } from './prelude.lua.js'

// KEYS   index
// ARGV   clock
// Reply  { number of families that ended, now }
// Cost   O(log(families of the user) + those that expired). The hashes stay, dead, until they expire
export const endFamiliesScript: Script = defineScript(
  'auth.end-families',
  `${NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now))
local count = redis.call('ZCARD', KEYS[1])
redis.call('UNLINK', KEYS[1])
return { count, now }`,
)
