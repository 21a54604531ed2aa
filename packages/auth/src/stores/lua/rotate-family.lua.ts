import { defineScript, type Script } from '@scale/redis'
import { ALIVE, KEEP, NOW } from './prelude.lua.js'

// KEYS   family, index
// ARGV   clock, id, digest, digest of the successor, nonce, grace, key that was proved or ''
// Reply  { 0 } unknown; { 1, now, user, created, end, grant } rotated; { 2, now, user, created, end, grant, nonce } another
//        was first; { 3, user } used again: the family ended, now or before; { 4 } bound to another key
// Cost   O(log(families of the user))
export const rotateFamilyScript: Script = defineScript(
  'auth.rotate-family',
  `${NOW}
${KEEP}
${ALIVE}
local f, owner = alive()
if not f then return owner and { 3, owner } or { 0 } end
if f[10] and f[10] ~= '' and f[10] ~= ARGV[7] then return { 4 } end
local retired, nonce = {}, nil
for digest, its_nonce, ends in string.gmatch(f[2], '(%S+) (%S+) (%d+),') do
  if now < tonumber(ends) then
    retired[#retired + 1] = digest .. ' ' .. its_nonce .. ' ' .. ends .. ','
    if digest == ARGV[3] then nonce = its_nonce end
  end
end
if ARGV[3] == f[1] then
  if tonumber(ARGV[6]) > 0 then
    table.insert(retired, 1, ARGV[3] .. ' ' .. ARGV[5] .. ' ' .. int(now + ARGV[6]) .. ',')
  end
  redis.call('HSET', KEYS[1], 'h', ARGV[4], 's', int(now), 'r', table.concat(retired, '', 1, math.min(#retired, 8)))
  keep(tonumber(f[6]), tonumber(f[7]))
  return { 1, now, f[3], tonumber(f[4]), tonumber(f[7]), f[8] }
end
if nonce then return { 2, now, f[3], tonumber(f[4]), tonumber(f[7]), f[8], nonce } end
finish()
return { 3, f[3] }`,
)
