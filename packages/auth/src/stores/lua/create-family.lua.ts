import { defineScript, type Script } from '@scale/redis'
import { KEEP, NOW } from './prelude.lua.js'

// KEYS   family, index
// ARGV   clock, id, digest, user, idle timeout, absolute timeout, grant, device, most families of the user, key that
//        it is bound to or ''
// Reply  now
// Cost   O(log(families of the user) + those that expired)
export const createFamilyScript: Script = defineScript(
  'auth.create-family',
  `${NOW}
${KEEP}
local absolute_end = now + ARGV[6]
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now))
local over = redis.call('ZCARD', KEYS[2]) - ARGV[9]
if over >= 0 then redis.call('ZREMRANGEBYRANK', KEYS[2], 0, over) end
redis.call('HSET', KEYS[1], 'v', '1', 'h', ARGV[3], 'u', ARGV[4], 'c', int(now), 's', int(now),
  'i', ARGV[5], 'x', int(absolute_end), 'g', ARGV[7], 'm', ARGV[8], 'r', '',
  'b', ARGV[10])
keep(tonumber(ARGV[5]), absolute_end)
return now`,
)
