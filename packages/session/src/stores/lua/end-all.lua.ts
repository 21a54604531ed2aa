import { defineScript, type Script } from '@scale/redis'
import { NOW } from './prelude.lua.js'

// KEYS   index
// ARGV   clock, id that stays ('' if none)
// Reply  number of sessions that ended
// Cost   O(log(sessions of the user) + those that expired); the index is freed in the background. The hashes stay, dead, until they expire
export const endAllScript: Script = defineScript(
  'session.end-all',
  `${NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now))
local count = redis.call('ZCARD', KEYS[1])
local kept = redis.call('ZSCORE', KEYS[1], ARGV[2])
local ttl = redis.call('PTTL', KEYS[1])
redis.call('UNLINK', KEYS[1])
if not kept then return count end
redis.call('ZADD', KEYS[1], kept, ARGV[2])
redis.call('PEXPIRE', KEYS[1], ttl)
return count - 1`,
)
