import { defineScript, type Script } from '@scale/redis'
import { END, KEEP, NOW, PACK } from './prelude.lua.js'

// KEYS   session, index, the session that it replaces (the session again if none)
// ARGV   clock, id, idle timeout, absolute timeout, user ('' if none), quota (0 if none), 'oldest' or 'reject',
//        id of the session that it replaces ('' if none), field, value, …
// Reply  { now, evicted, replaced session or nil }, { now, -1 } if the quota is full, or { now, -2 } if there is
//        such a session, or was lately
// Cost   O(fields + log(sessions of the user) + those that expired); with a quota O(sessions of the user)
export const createScript: Script = defineScript(
  'session.create',
  `${NOW}
${PACK}
${KEEP}
${END}
local idle, user, quota, before = tonumber(ARGV[3]), ARGV[5], tonumber(ARGV[6]), ARGV[8]
local absolute_end = now + ARGV[4]
if redis.call('EXISTS', KEYS[1]) == 1 then return { now, -2 } end
local surplus, gone, replaced = 0, {}, false
if user ~= '' and quota > 0 then
  local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. int(now), '+inf')
  local prefix, used = string.sub(KEYS[1], 1, -#ARGV[2] - 1), {}
  for _, id in ipairs(ids) do
    if id ~= before then gone[#gone + 1] = id end
  end
  surplus = math.max(0, #gone - quota + 1)
  if surplus > 0 then
    if ARGV[7] == 'reject' then return { now, -1 } end
    for _, id in ipairs(gone) do used[id] = tonumber(redis.call('HGET', prefix .. id, 's') or 0) end
    table.sort(gone, function(a, b) return used[a] < used[b] end)
  end
end
-- The first of the writes: a server without memory refuses it, and all others after it.
redis.call('HSET', KEYS[1], 'v', '1', 'c', int(now), 's', int(now), 'k', int(now), 'i', ARGV[3], 'x', int(absolute_end), 'r', '1')
if user ~= '' then
  redis.call('HSET', KEYS[1], 'u', user, 'a', int(now))
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now))
  for i = 1, surplus do redis.call('ZREM', KEYS[2], gone[i]) end
  if before ~= '' then replaced = finish(KEYS[3], before) end
end
for i = 9, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
keep(idle, absolute_end, user ~= '')
return { now, surplus, replaced }`,
)
