// A family is one hash. Field names of format 1:
//
//   v  format, 1      h  SHA-256 of the current token     u  user id        g  what was granted     m  device
//   c  created at     s  last refreshed at                i  idle timeout   x  absolute end
//   b  thumbprint of the key that it is bound to; empty or not there: none
//   z  ended at; there until its access tokens are taken back, or it would have expired
//   r  replaced tokens that are within their grace, the newest first: `<SHA-256> <nonce> <end of grace>` by commas
//
// The index of a user is a sorted set: member family id, score when the family ends if nobody uses it again. A family
// that is not in there is dead, whatever its hash says: removing the set ends all of them in one step.

/** ARGV[1] sets the clock in tests; empty means the server's own. */
export const NOW = `
local now
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
else
  now = tonumber(ARGV[1])
end
local function int(number) return string.format('%.0f', number) end
`

/** Sets when the family ends if nobody uses it again. The index lives as long as the longest of its families. */
export const KEEP = `
local function keep(idle, absolute_end)
  local ends = math.min(now + idle, absolute_end)
  redis.call('PEXPIRE', KEYS[1], int(ends - now))
  redis.call('ZADD', KEYS[2], int(ends), ARGV[2])
  if redis.call('PTTL', KEYS[2]) < ends - now then redis.call('PEXPIRE', KEYS[2], int(ends - now)) end
end
`

/** The fields of a family that is alive, else nothing; and the user of one that was ended and is still remembered. */
export const ALIVE = `
local function alive()
  local f = redis.call('HMGET', KEYS[1], 'h', 'r', 'u', 'c', 's', 'i', 'x', 'g', 'z', 'b')
  if f[9] then return nil, f[3] end
  if not f[1] or not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return nil end
  if now >= f[5] + f[6] or now >= tonumber(f[7]) then return nil end
  return f
end
local function finish()
  redis.call('HSET', KEYS[1], 'z', int(now))
  redis.call('ZREM', KEYS[2], ARGV[2])
end
`
