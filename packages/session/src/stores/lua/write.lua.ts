import { defineScript, type Script } from '@scale/redis'
import { MERGE } from './merge.lua.js'
import { KEEP, NOW, OPENS } from './prelude.lua.js'

// KEYS   session, index
// ARGV   clock, id, digest, when it opened the session (''), 'report', 'overwrite' or 'merge', most bytes of data (0: any),
//        new idle timeout, new absolute timeout, new '1' or '0' for persistent ('' keeps each), digest of the successor
//        ('' for none), its nonce, '1' to elevate, then for each change: field, revision seen, value ('' removes), value seen
// Reply  { 0 } ended; { 3, bytes } too large; { 2, field, value or '', … } conflict;
//        { 1, now, revision, nonce of the successor or '', absolute end, field that another changed, value now, … }
// Cost   O(fields + log(sessions of the user)); merging O(bytes of the values that both changed)
export const writeScript: Script = defineScript(
  'session.write',
  `${NOW}
${OPENS}
${KEEP}
${MERGE}
local digest, mode, most = ARGV[3], ARGV[5], tonumber(ARGV[6])
local f, age = opens(digest, ARGV[4])
if not f then return { 0 } end
local reply, values = { 1, now, 0, '', '' }, {}
for i = 13, #ARGV, 4 do
  local field, value = ARGV[i], ARGV[i + 2]
  local current = redis.call('HGET', KEYS[1], field) or ''
  local revision, theirs = string.match(current, '^(%d+) (.*)$')
  if (revision or '0') ~= ARGV[i + 1] then
    -- The top-level value itself may be removed or be no object: then the later write wins.
    if mode == 'merge' and string.byte(value) == 123 then value = merge(ARGV[i + 3], value, theirs or '', 1) end
    reply[#reply + 1] = field
    reply[#reply + 1] = mode == 'report' and current or value
  end
  values[field] = value
end
if mode == 'report' and #reply > 5 then
  for i = 1, 4 do table.remove(reply, 1) end
  reply[1] = 2
  return reply
end
if #ARGV > 12 then
  local revision = int(redis.call('HGET', KEYS[1], 'r') + 1)
  if most > 0 then
    local bytes = 0
    for field, value in pairs(values) do
      if value ~= '' then bytes = bytes + #field - 1 + #value end
    end
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
      if string.byte(field) == 46 and not values[field] then
        bytes = bytes + #field - 2 - #revision + redis.call('HSTRLEN', KEYS[1], field)
      end
    end
    if bytes > most then return { 3, bytes } end
  end
  for field, value in pairs(values) do
    if value == '' then redis.call('HDEL', KEYS[1], field)
    else redis.call('HSET', KEYS[1], field, revision .. ' ' .. value) end
  end
  redis.call('HSET', KEYS[1], 'r', revision)
  reply[3] = tonumber(revision)
end
redis.call('HSET', KEYS[1], 's', int(now))
local idle, absolute_end = tonumber(f[5]), tonumber(f[6])
if ARGV[7] ~= '' then
  idle = tonumber(ARGV[7])
  redis.call('HSET', KEYS[1], 'i', ARGV[7])
end
if ARGV[8] ~= '' then
  absolute_end = now + ARGV[8]
  redis.call('HSET', KEYS[1], 'x', int(absolute_end))
end
if ARGV[9] ~= '' then redis.call('HSET', KEYS[1], 'w', ARGV[9]) end
local elevate = ARGV[12] == '1'
if ARGV[10] ~= '' and (age == 'last' or age == 'replaced' and not f[8]) then
  if age == 'replaced' and not elevate then
    reply[4] = redis.call('HGET', KEYS[1], 'n') or ''
  else
    reply[4] = ARGV[11]
    redis.call('HSET', KEYS[1], 'h', ARGV[10], 'k', int(now))
    redis.call('HDEL', KEYS[1], 'p', 'g', 'n', 'q')
    -- Later than the one before, by whatever clock: it tells who has opened the session before from who has after.
    if elevate then redis.call('HSET', KEYS[1], 'a', int(math.max(now, (f[9] or 0) + 1)))
    else redis.call('HSET', KEYS[1], 'p', digest, 'g', int(absolute_end), 'n', ARGV[11]) end
  end
elseif f[3] and now >= tonumber(f[3]) then
  -- With the old token and the nonce the new token could be made: after the old one's end nobody needs that.
  redis.call('HDEL', KEYS[1], 'n')
end
keep(idle, absolute_end, f[7])
reply[5] = int(absolute_end)
return reply`,
)
