import { defineScript, type Script } from '@scale/redis'

// KEYS   a session of express-session
// Reply  { now, time to live in ms, JSON or nil }
// Cost   O(bytes)
export const readSharedScript: Script = defineScript(
  'session.shared-read',
  `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return { now, redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[1]) }`,
)

// KEYS   a session of express-session
// ARGV   what is there ('' for nothing), what is to be there, least time to live in ms: none is shortened
// Reply  1 if it is there now, 0 if there was something else
// Cost   O(bytes)
export const replaceSharedScript: Script = defineScript(
  'session.shared-replace',
  `local there = redis.call('GET', KEYS[1])
if (there or '') ~= ARGV[1] then return 0 end
local left = redis.call('PTTL', KEYS[1])
if ARGV[2] ~= ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL') end
if left ~= -1 and left < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1`,
)
