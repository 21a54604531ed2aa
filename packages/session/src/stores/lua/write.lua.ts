import { defineScript, type Script } from '@scale/redis'
import { MERGE } from './merge.lua.js'
import { KEEP, NOW, OPENS } from './prelude.lua.js'

// KEYS   session, index
// ARGV   clock, id, digest, when it opened the session (''), 'report', 'overwrite' or 'merge', most bytes of data (0: any),
//        number of changes; for each: field, revision seen, value ('' removes), value seen; and if there is anything
//        beside changes: new idle timeout, new absolute timeout, new '1' or '0' for persistent ('' keeps each); and for
//        a new token: digest of the successor, its nonce, '1' to elevate
// Reply  { 0 } ended; { 3, bytes } too large; { 2, field, value or '', … } conflict;
//        { 1, now, revision, nonce of the successor or '', absolute end, field that another changed, value now, … }
// Cost   O(fields + log(sessions of the user)); merging O(bytes of the values that both changed)
export const writeScript: Script = defineScript(
  'session.write',
  `${NOW}
${OPENS}
${KEEP}
local function merger()
${MERGE}
return merge
end
local digest, mode, most = ARGV[3], ARGV[5], tonumber(ARGV[6])
local f, age = opens(digest, ARGV[4])
if not f then return { 0 } end
local reply, values, sets, gone, n = { 1, now, 0, '', '' }, {}, { 's', int(now) }, {}, 7 + 4 * ARGV[7]
for i = 8, n, 4 do
  local field, value = ARGV[i], ARGV[i + 2]
  local current = redis.call('HGET', KEYS[1], field) or ''
  local revision, theirs = string.match(current, '^(%d+) (.*)$')
  if (revision or '0') ~= ARGV[i + 1] then
    -- The top-level value itself may be removed or be no object: then the later write wins.
    if mode == 'merge' and string.byte(value) == 123 then value = merger()(ARGV[i + 3], value, theirs or '', 1) end
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
local function set(field, value)
  sets[#sets + 1] = field
  sets[#sets + 1] = value
end
if n > 7 then
  local revision = int(f[11] + 1)
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
    if value == '' then gone[#gone + 1] = field
    else set(field, revision .. ' ' .. value) end
  end
  set('r', revision)
  reply[3] = tonumber(revision)
end
local idle, absolute_end = tonumber(f[5]), tonumber(f[6])
local new_idle, new_absolute, persistent, successor, nonce, elevate = unpack(ARGV, n + 1)
if (new_idle or '') ~= '' then
  idle = tonumber(new_idle)
  set('i', new_idle)
end
if (new_absolute or '') ~= '' then
  absolute_end = now + new_absolute
  set('x', int(absolute_end))
end
if (persistent or '') ~= '' then set('w', persistent) end
if successor and (age == 'last' or age == 'replaced' and not f[8]) then
  if age == 'replaced' and elevate ~= '1' then
    reply[4] = f[10] or ''
  else
    reply[4] = nonce
    set('h', successor)
    set('k', int(now))
    gone[#gone + 1] = 'q'
    if elevate == '1' then
      -- Later than the one before, by whatever clock: it tells who has opened the session before from who has after.
      set('a', int(math.max(now, (f[9] or 0) + 1)))
      for _, field in ipairs({ 'p', 'g', 'n' }) do gone[#gone + 1] = field end
    else
      set('p', digest)
      set('g', int(absolute_end))
      set('n', nonce)
    end
  end
elseif f[10] and f[3] and now >= tonumber(f[3]) then
  -- With the old token and the nonce the new token could be made: after the old one's end nobody needs that.
  gone[#gone + 1] = 'n'
end
-- A server without memory refuses the first, and all others after it. Lua hands over no more than some thousands at once.
for i = 1, #sets, 1000 do redis.call('HSET', KEYS[1], unpack(sets, i, math.min(i + 999, #sets))) end
for i = 1, #gone, 1000 do redis.call('HDEL', KEYS[1], unpack(gone, i, math.min(i + 999, #gone))) end
keep(idle, absolute_end, f[7])
reply[5] = int(absolute_end)
return reply`,
)
