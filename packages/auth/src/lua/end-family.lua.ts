import { defineScript, type Script } from '@scale/redis'
import { ALIVE, NOW } from './prelude.lua.js'

// KEYS   family, index
// ARGV   clock, id
// Reply  user, or nil if there is no such family
// Cost   O(log(families of the user))
export const endFamilyScript: Script = defineScript(
  'auth.end-family',
  `${NOW}
${ALIVE}
local f = alive()
redis.call('UNLINK', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return f and f[3] or nil`,
)
