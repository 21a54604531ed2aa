import { defineScript, type Script } from '@scale/redis'
import { NOW } from './prelude.lua.js'

// KEYS   families
// ARGV   clock
// Reply  for each { created, refreshed, end, device }, or {} if it is over
// Cost   O(families)
export const listFamiliesScript: Script = defineScript(
  'auth.list-families',
  `${NOW}
local rows = {}
for index, key in ipairs(KEYS) do
  local f = redis.call('HMGET', key, 'c', 's', 'x', 'm', 'i')
  local over = not f[1] or now >= f[2] + f[5] or now >= tonumber(f[3])
  rows[index] = over and {} or { tonumber(f[1]), tonumber(f[2]), tonumber(f[3]), f[4] }
end
return rows`,
)
