import { defineScript, type Script } from '@scale/redis'
import { MERGE } from './merge.lua.js'
import { KEEP, NOW, OPENS } from './prelude.lua.js'

// KEYS   session, index
// ARGV   clock, id, digest, 'report', 'overwrite' or 'merge', most bytes of data (0: any), new idle timeout, new
//        absolute timeout, new '1' or '0' for persistent ('' keeps each), digest of the successor ('' for none), its
//        nonce, '1' to elevate, then for each change: field, revision seen, value ('' removes), value seen
// Reply  { 0 } ended; { 3, bytes } too large; { 2, field, value or '', … } conflict;
//        { 1, now, revision, nonce of the successor or '', absolute end, field that another changed, value now, … }
// Cost   O(fields + log(sessions of the user)); merging O(bytes of the values that both changed)
export const writeScript: Script = defineScript(
  'session.write',
  `${NOW}
${OPENS}
${KEEP}
${MERGE}
local digest, mode, most = ARGV[3], ARGV[4], tonumber(ARGV[5])
local alive, f = opens(digest)
if not alive then return { 0 } end
local reply, values = { 1, now, 0, '', '' }, {}
for i = 12, #ARGV, 4 do
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
if #ARGV > 11 then
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
if ARGV[6] ~= '' then
  idle = tonumber(ARGV[6])
  redis.call('HSET', KEYS[1], 'i', ARGV[6])
end
if ARGV[7] ~= '' then
  absolute_end = now + ARGV[7]
  redis.call('HSET', KEYS[1], 'x', int(absolute_end))
end
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'w', ARGV[8]) end
local elevate, is_old = ARGV[11] == '1', digest ~= f[1]
if ARGV[9] ~= '' and not (is_old and f[8]) then
  if is_old and not elevate then
    reply[4] = redis.call('HGET', KEYS[1], 'n') or ''
  else
    reply[4] = ARGV[10]
    redis.call('HSET', KEYS[1], 'h', ARGV[9], 'k', int(now))
    redis.call('HDEL', KEYS[1], 'p', 'g', 'n', 'q')
    if elevate then redis.call('HSET', KEYS[1], 'a', int(now))
    else redis.call('HSET', KEYS[1], 'p', digest, 'g', int(absolute_end), 'n', ARGV[10]) end
  end
elseif f[3] and now >= tonumber(f[3]) then
  -- With the old token and the nonce the new token could be made: after the old one's end nobody needs that.
  redis.call('HDEL', KEYS[1], 'n')
end
keep(idle, absolute_end, f[7])
reply[5] = int(absolute_end)
return reply`,
)
