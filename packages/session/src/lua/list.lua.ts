import { defineScript, type Script } from '@scale/redis'
import { NOW } from './prelude.lua.js'

// KEYS   sessions
// ARGV   clock
// Reply  { now, { v, c, s, a, i, x, m } or {} for each }
// Cost   O(sessions)
export const listScript: Script = defineScript(
  'session.list',
  `${NOW}
local reply = { now }
for i = 1, #KEYS do reply[i + 1] = redis.call('HMGET', KEYS[i], 'v', 'c', 's', 'a', 'i', 'x', 'm') end
return reply`,
)
