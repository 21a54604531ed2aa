import { announceLua, defineScript, type Script } from '@scale/redis'
import { historyLua, type OnFailover } from './history.lua.js'

/** Finds a lease that ARGV[1] holds. In it stands behind the token in which history it was given. */
const heldLua = `local function held(key)
  local lease = redis.call('GET', key)
  local mine = ARGV[1] .. ':'
  return lease and string.sub(lease, 1, #mine) == mine and string.sub(lease, #mine + 1)
end
`

/**
 * Stores a frame if the lease still stands. The frame is of the history in which the lease was given: an invalidation
 * that ended the lease may have been lost since.
 */
export const fillScript: Script = defineScript(
  'cache.fill',
  `-- KEYS[1] value  KEYS[2] lease
-- ARGV[1] token  ARGV[2] frame  ARGV[3] lifetime in ms
-- Reply: 1 if stored. O(1).
${heldLua}
local history = held(KEYS[2])
if not history then return 0 end
redis.call('SET', KEYS[1], ARGV[2] .. history, 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1`,
)

/** Prolongs a lease, or ends it. */
export const renewScript: Script = defineScript(
  'cache.renew',
  `-- KEYS[1] lease
-- ARGV[1] token  ARGV[2] lease in ms; 0 ends it
-- Reply: 1 if it was held. O(1).
${heldLua}
if not held(KEYS[1]) then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`,
)

/** Stores a frame whatever is being loaded. */
export function putScript(onFailover: OnFailover): Script {
  return defineScript(
    'cache.put',
    `-- KEYS[1] value  KEYS[2] lease  KEYS[3] log, unless it lies in another slot
-- ARGV[1] frame  ARGV[2] lifetime in ms
-- Reply: 1. O(1).
${historyLua(onFailover)}${announceLua}
redis.call('SET', KEYS[1], ARGV[1] .. history(), 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
if KEYS[3] then announce(KEYS[3], { KEYS[1] }) end
return 1`,
  )
}

/** Removes a value, and ends its lease. A server that is full allows it. */
export const removeScript: Script = defineScript(
  'cache.remove',
  `-- KEYS[1] value  KEYS[2] lease  KEYS[3] log, unless it lies in another slot
-- Reply: 1. O(1).
${announceLua}
redis.call('DEL', KEYS[1], KEYS[2])
if KEYS[3] then announce(KEYS[3], { KEYS[1] }) end
return 1`,
)
