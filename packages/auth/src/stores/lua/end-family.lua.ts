import { defineScript, type Script } from '@scale/redis'
import { ALIVE, NOW } from './prelude.lua.js'

// KEYS   family, index
// ARGV   clock, id
// Reply  user, also of one that ended and is not forgotten yet; nil if there is no such family
// Cost   O(log(families of the user))
export const endFamilyScript: Script = defineScript(
  'auth.end-family',
  `${NOW}
${ALIVE}
local f, owner = alive()
if not f then return owner end
finish()
return f[3]`,
)
