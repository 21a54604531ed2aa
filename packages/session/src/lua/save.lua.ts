import { defineScript, type Script } from '@scale/redis'
import { KEEP, NOW, OPENS } from './prelude.lua.js'

// KEYS   session, index
// ARGV   clock, id, digest, 'report' or 'overwrite', new idle timeout ('' keeps it),
//        field, revision seen, value ('' removes), …
// Reply  { 0 } ended; { { 1, now, revision }, overwritten field, … } saved; { 2, field, value or '', … } conflict
// Cost   O(changes + log(sessions of the user))
export const saveScript: Script = defineScript(
  'session.save',
  `${NOW}
${OPENS}
${KEEP}
local alive, f = opens(ARGV[3])
if not alive then return { 0 } end
local changed = { 2 }
local report = ARGV[4] == 'report'
for i = 6, #ARGV, 3 do
  local current = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  if (string.match(current, '^%d+') or '0') ~= ARGV[i + 1] then
    changed[#changed + 1] = ARGV[i]
    if report then changed[#changed + 1] = current end
  end
end
if report and #changed > 1 then return changed end
local revision = #ARGV > 5 and redis.call('HINCRBY', KEYS[1], 'r', 1) or 0
for i = 6, #ARGV, 3 do
  if ARGV[i + 2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], int(revision) .. ' ' .. ARGV[i + 2])
  end
end
redis.call('HSET', KEYS[1], 's', int(now))
-- With the old token and the nonce the new token could be made: after the grace nobody needs that.
if f[3] and now >= tonumber(f[3]) then redis.call('HDEL', KEYS[1], 'n') end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'i', ARGV[5]) end
keep(tonumber(ARGV[5]) or tonumber(f[5]), tonumber(f[6]), f[7])
changed[1] = { 1, now, revision }
return changed`,
)
