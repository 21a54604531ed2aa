import { defineScript, type Script } from '@scale/redis'
import { NOW } from './prelude.lua.js'

// KEYS   session, index
// ARGV   clock, id
// Reply  nil, or { now, 1 if the index has it, { field, value, … } }
// Cost   O(fields)
export const loadScript: Script = defineScript(
  'session.load',
  `local fields = redis.call('HGETALL', KEYS[1])
if #fields == 0 then return false end
${NOW}
return { now, redis.call('ZSCORE', KEYS[2], ARGV[2]) and 1 or 0, fields }`,
)
