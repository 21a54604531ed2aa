import { defineScript, type Script } from '@scale/redis'
import { KEEP, NOW, OPENS } from './prelude.lua.js'

// KEYS   session, index
// ARGV   clock, id, digest, new digest, nonce, grace, '1' to elevate
// Reply  { 0 } ended; { 1, now } rotated; { 2, now, nonce } another was first
// Cost   O(log(sessions of the user))
export const rotateScript: Script = defineScript(
  'session.rotate',
  `${NOW}
${OPENS}
${KEEP}
local alive, f = opens(ARGV[3])
if not alive then return { 0 } end
if ARGV[3] ~= f[1] and ARGV[7] ~= '1' then return { 2, now, redis.call('HGET', KEYS[1], 'n') } end
redis.call('HSET', KEYS[1], 'h', ARGV[4], 'k', int(now), 's', int(now))
if tonumber(ARGV[6]) > 0 then
  redis.call('HSET', KEYS[1], 'p', ARGV[3], 'g', int(now + ARGV[6]), 'n', ARGV[5])
else
  redis.call('HDEL', KEYS[1], 'p', 'g', 'n')
end
if ARGV[7] == '1' then redis.call('HSET', KEYS[1], 'a', int(now)) end
keep(tonumber(f[5]), tonumber(f[6]), f[7])
return { 1, now }`,
)
