import { defineScript, type Script } from '@scale/redis'

/** A fresh frame, or the lease, or how long to wait for it. The offsets are those of `frame.ts`. */
export const loadScript: Script = defineScript(
  'cache.load',
  `-- KEYS[1] value  KEYS[2] lease
-- ARGV[1] token  ARGV[2] lease in ms  ARGV[3] id of a rejected frame, or ''
-- Reply: { frame or '', ms to live, 'fresh' } or { …, 'lead', server time in ms } or { …, 'wait', ms of the lease }
-- O(1). Clock: the server's.
local frame = redis.call('GET', KEYS[1])
local left = 0
if frame then
  left = redis.call('PTTL', KEYS[1])
  local magic = string.byte(frame, 1)
  local a, b, c, d = string.byte(frame, 5, 8)
  if magic == 197 and d and left > ((a * 256 + b) * 256 + c) * 256 + d and string.sub(frame, 25, 32) ~= ARGV[3] then
    return { frame, left, 'fresh', 0 }
  end
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  local time = redis.call('TIME')
  return { frame or '', left, 'lead', time[1] * 1000 + math.floor(time[2] / 1000) }
end
return { frame or '', left, 'wait', redis.call('PTTL', KEYS[2]) }`,
)
