import { defineScript, type Script } from '@scale/redis'
import { NOW, PACK } from './prelude.lua.js'

// KEYS   session, index
// ARGV   clock, id
// Reply  nil, or a packed session
// Cost   O(fields)
export const loadScript: Script = defineScript(
  'session.load',
  `local fields = redis.call('HGETALL', KEYS[1])
if #fields == 0 then return false end
${NOW}
${PACK}
return pack(fields, redis.call('ZSCORE', KEYS[2], ARGV[2]))`,
)
