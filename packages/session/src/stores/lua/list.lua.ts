import { defineScript, type Script } from '@scale/redis'
import { NOW } from './prelude.lua.js'

// KEYS   index
// ARGV   clock, limit, what the keys of the sessions begin with
// Reply  { now, { id, v, c, s, a, i, x, m }, … }, the last used first
// Cost   O(sessions of the user · log)
export const listScript: Script = defineScript(
  'session.list',
  `${NOW}
local ids, used, reply = {}, {}, { now }
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. int(now), '+inf')) do
  local seen = redis.call('HGET', ARGV[3] .. id, 's')
  if seen then
    ids[#ids + 1] = id
    used[id] = tonumber(seen)
  end
end
table.sort(ids, function(a, b)
  if used[a] == used[b] then return a < b end
  return used[a] > used[b]
end)
for i = 1, math.min(#ids, ARGV[2]) do
  reply[i + 1] = redis.call('HMGET', ARGV[3] .. ids[i], 'v', 'c', 's', 'a', 'i', 'x', 'm')
  table.insert(reply[i + 1], 1, ids[i])
end
return reply`,
)
