import { defineScript, type Script } from '@scale/redis'
import { HISTORY_LENGTH, historyLua, type OnFailover } from './history.lua.js'

/**
 * A frame of this server's history: one of another may lack the last invalidations, and counts as absent. What is no
 * frame at all is handed on, to be reported.
 */
const findLua = `local function find(key, now)
  local frame = redis.call('GET', key)
  if not frame then return false end
  if string.byte(frame, 1) == 197 and string.sub(frame, -${HISTORY_LENGTH}) ~= now then return false end
  return frame
end
`

/** A fresh frame, or the lease, or how long to wait for it. The offsets are those of `frame.ts`. */
export function loadScript(onFailover: OnFailover): Script {
  return defineScript(
    'cache.load',
    `-- KEYS[1] value  KEYS[2] lease
-- ARGV[1] token  ARGV[2] lease in ms  ARGV[3] id of a rejected frame, or ''
-- Reply: { frame or '', ms to live, 'fresh' } or { …, 'lead', history } or { …, 'wait', ms of the lease }
-- O(1). Clock: the server's.
${historyLua(onFailover)}${findLua}
local now = history()
local frame = find(KEYS[1], now)
local left = 0
if frame then
  left = redis.call('PTTL', KEYS[1])
  local magic = string.byte(frame, 1)
  local a, b, c, d = string.byte(frame, 5, 8)
  if magic == 197 and d and left > ((a * 256 + b) * 256 + c) * 256 + d and string.sub(frame, 25, 32) ~= ARGV[3] then
    return { frame, left, 'fresh', 0 }
  end
end
if redis.call('SET', KEYS[2], ARGV[1] .. ':' .. now, 'NX', 'PX', ARGV[2]) then
  return { frame or '', left, 'lead', now }
end
return { frame or '', left, 'wait', redis.call('PTTL', KEYS[2]) }`,
  )
}

/** Frames, fresh or stale. The keys share a slot: in a Cluster it is one. */
export function readScript(onFailover: OnFailover): Script {
  return defineScript(
    'cache.read',
    `-- KEYS values
-- Reply: for each { frame or '', ms to live }. O(keys). Clock: the server's.
${historyLua(onFailover)}${findLua}
local now = history()
local found = {}
for i = 1, #KEYS do
  local frame = find(KEYS[i], now)
  found[i] = frame and { frame, redis.call('PTTL', KEYS[i]) } or { '', 0 }
end
return found`,
  )
}
