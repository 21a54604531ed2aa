import { defineScript, type Script } from '@scale/redis'

// KEYS   key of the marks
// ARGV   a new key, how long it is kept without being asked for, in ms
// Reply  the key
// Cost   O(1)
export const markScript: Script = defineScript(
  'session.mark',
  `redis.call('SET', KEYS[1], ARGV[1], 'NX')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('GET', KEYS[1])`,
)
