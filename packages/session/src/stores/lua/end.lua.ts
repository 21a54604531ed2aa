import { defineScript, type Script } from '@scale/redis'
import { END, NOW, PACK } from './prelude.lua.js'

// KEYS   session, index
// ARGV   clock, id
// Reply  nil, or a packed session
// Cost   O(fields + log(sessions of the user))
export const endScript: Script = defineScript(
  'session.end',
  `${NOW}
${PACK}
${END}
return finish(KEYS[1], ARGV[2])`,
)
