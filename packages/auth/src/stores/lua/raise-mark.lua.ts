import { defineScript, type Script } from '@scale/redis'
import { NOW } from './prelude.lua.js'

// KEYS   mark
// ARGV   clock, at or '', ahead, kept, until or ''
// Reply  what the mark says now
// Cost   O(1)
export const raiseMarkScript: Script = defineScript(
  'auth.raise-mark',
  `${NOW}
local at = ARGV[2] == '' and now + ARGV[3] or tonumber(ARGV[2])
local known = tonumber(redis.call('GET', KEYS[1]) or '')
if known and known > at then at = known end
local ttl = tonumber(ARGV[4])
if ARGV[5] ~= '' then ttl = math.max(1, math.min(ttl, ARGV[5] - now)) end
ttl = math.max(ttl, redis.call('PTTL', KEYS[1]))
redis.call('SET', KEYS[1], int(at), 'PX', int(math.ceil(ttl)))
return int(at)`,
)
