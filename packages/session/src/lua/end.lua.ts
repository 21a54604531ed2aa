import { defineScript, type Script } from '@scale/redis'
import { NOW, PACK } from './prelude.lua.js'

// KEYS   session, index
// ARGV   clock, id
// Reply  nil, or a packed session
// Cost   O(fields + log(sessions of the user))
export const endScript: Script = defineScript(
  'session.end',
  `local fields = redis.call('HGETALL', KEYS[1])
local listed = redis.call('ZREM', KEYS[2], ARGV[2])
if #fields == 0 then return false end
redis.call('DEL', KEYS[1])
${NOW}
${PACK}
return pack(fields, listed == 1)`,
)
