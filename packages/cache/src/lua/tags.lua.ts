import { defineScript, type Script } from '@scale/redis'
import { historyLua, type OnFailover } from './history.lua.js'

/** The version of a tag; one is made if there is none. */
export function openTagScript(onFailover: OnFailover): Script {
  return defineScript(
    'cache.open-tag',
    `-- KEYS[1] tag
-- ARGV[1] version (12 characters) if it has none  ARGV[2] lifetime in ms
-- Reply: { 'hard:soft:time of the last invalidation in ms', ms since then or -1, history }. O(1). Clock: the server's.
${historyLua(onFailover)}
local version = redis.call('GET', KEYS[1])
if version then
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2) end
  local at = tonumber(string.match(version, '%d+$'))
  local time = redis.call('TIME')
  return { version, at == 0 and -1 or time[1] * 1000 + math.floor(time[2] / 1000) - at, history() }
end
version = ARGV[1] .. ':' .. ARGV[1] .. ':0'
redis.call('SET', KEYS[1], version, 'PX', ARGV[2] * 2)
return { version, -1, history() }`,
  )
}

/** The version of a tag, if it has one. */
export function readTagScript(onFailover: OnFailover): Script {
  return defineScript(
    'cache.read-tag',
    `-- KEYS[1] tag
-- Reply: { 'hard:soft:…' or '', history }. O(1).
${historyLua(onFailover)}
return { redis.call('GET', KEYS[1]) or '', history() }`,
  )
}

/** Changes the version of a tag: both halves, or the soft one. */
export const invalidateTagScript: Script = defineScript(
  'cache.invalidate-tag',
  `-- KEYS[1] tag
-- ARGV[1] new version (12 characters)  ARGV[2] '1' if soft  ARGV[3] lifetime in ms
-- Reply: 1. O(1). Clock: the server's.
local hard = ARGV[1]
local lifetime = tonumber(ARGV[3])
if ARGV[2] == '1' then
  local version = redis.call('GET', KEYS[1])
  if version then
    hard = string.match(version, '^[^:]+')
    lifetime = math.max(lifetime, redis.call('PTTL', KEYS[1]))
  end
end
local time = redis.call('TIME')
local at = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[1], hard .. ':' .. ARGV[1] .. ':' .. at, 'PX', lifetime)
return 1`,
)
