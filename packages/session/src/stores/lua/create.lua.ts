import { defineScript, type Script } from '@scale/redis'
import { END, KEEP, NOW, PACK } from './prelude.lua.js'

// KEYS   session, index, the session that it replaces (the session again if none)
// ARGV   clock, id, idle timeout, absolute timeout, user ('' if none), quota (0 if none), 'oldest' or 'reject',
//        id of the session that it replaces ('' if none), field, value, …
// Reply  { now, evicted, replaced session or nil }, { now, -1 } if the quota is full, or { now, -2 } if there is
//        such a session, or was lately
// Cost   O(fields + log(sessions of the user) + those that expired); above the quota O(sessions of the user)
export const createScript: Script = defineScript(
  'session.create',
  `${NOW}
${PACK}
${KEEP}
${END}
local idle, user, quota, before = tonumber(ARGV[3]), ARGV[5], tonumber(ARGV[6]), ARGV[8]
local absolute_end = now + ARGV[4]
if redis.call('EXISTS', KEYS[1]) == 1 then return { now, -2 } end
local evicted, replaced = 0, false
if user ~= '' then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now))
  local surplus = 0
  if quota > 0 then
    surplus = redis.call('ZCARD', KEYS[2]) - quota + 1
    if before ~= '' and redis.call('ZSCORE', KEYS[2], before) then surplus = surplus - 1 end
  end
  if surplus > 0 then
    if ARGV[7] == 'reject' then return { now, -1 } end
    local prefix, gone, used = string.sub(KEYS[1], 1, -#ARGV[2] - 1), {}, {}
    for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
      if id ~= before then
        gone[#gone + 1] = id
        used[id] = tonumber(redis.call('HGET', prefix .. id, 's') or 0)
      end
    end
    table.sort(gone, function(a, b) return used[a] < used[b] end)
    for i = 1, surplus do redis.call('ZREM', KEYS[2], gone[i]) end
  end
  evicted = math.max(0, surplus)
  redis.call('HSET', KEYS[1], 'u', user, 'a', int(now))
  if before ~= '' then replaced = finish(KEYS[3], before) end
end
redis.call('HSET', KEYS[1], 'v', '1', 'c', int(now), 's', int(now), 'k', int(now), 'i', ARGV[3], 'x', int(absolute_end), 'r', '1')
for i = 9, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
keep(idle, absolute_end, user ~= '')
return { now, evicted, replaced }`,
)
