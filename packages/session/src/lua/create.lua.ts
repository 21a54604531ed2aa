import { defineScript, type Script } from '@scale/redis'
import { KEEP, NOW } from './prelude.lua.js'

// KEYS   session, index
// ARGV   clock, id, idle timeout, absolute timeout, user ('' if none), quota (0 if none), 'oldest' or 'reject',
//        field, value, …
// Reply  { now, evicted }, { now, -1 } if the quota is full, or { now, -2 } if there is such a session
// Cost   O(fields + log(sessions of the user) + those that expired)
export const createScript: Script = defineScript(
  'session.create',
  `${NOW}
${KEEP}
local idle, user, quota = tonumber(ARGV[3]), ARGV[5], tonumber(ARGV[6])
local absolute_end = now + ARGV[4]
local evicted = 0
if redis.call('EXISTS', KEYS[1]) == 1 then return { now, -2 } end
if user ~= '' then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now))
  local surplus = quota == 0 and 0 or redis.call('ZCARD', KEYS[2]) - quota + 1
  if surplus > 0 then
    if ARGV[7] == 'reject' then return { now, -1 } end
    evicted = redis.call('ZREMRANGEBYRANK', KEYS[2], 0, surplus - 1)
  end
  redis.call('HSET', KEYS[1], 'u', user, 'a', int(now))
end
redis.call('HSET', KEYS[1], 'v', '1', 'c', int(now), 's', int(now), 'k', int(now), 'i', ARGV[3], 'x', int(absolute_end), 'r', '1')
for i = 8, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
keep(idle, absolute_end, user ~= '')
return { now, evicted }`,
)
