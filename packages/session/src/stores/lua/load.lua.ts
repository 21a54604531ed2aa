import { defineScript, type Script } from '@scale/redis'
import { NOW, PACK } from './prelude.lua.js'

// KEYS   session, index
// ARGV   clock, id, digest ('' only looks), how long a replaced token opens once its successor was used
// Reply  nil, 'ended', or a packed session as it was before
// Cost   O(fields)
export const loadScript: Script = defineScript(
  'session.load',
  `local fields = redis.call('HGETALL', KEYS[1])
if #fields == 0 then return false end
if fields[1] == 'z' then return 'ended' end
${NOW}
${PACK}
local reply, f = pack(fields, redis.call('ZSCORE', KEYS[2], ARGV[2]))
if f.p ~= '-' and f.q == '-' and ARGV[3] == f.h then
  -- The first use of the successor. A server without memory refuses to write this down, and still answers.
  redis.pcall('HSET', KEYS[1], 'k', int(now), 'q', '1', 'g', int(math.min(now + ARGV[4], tonumber(f.x))))
end
return reply`,
)
