import { announceLua, defineScript, type Script } from '@scale/redis'
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
-- Reply: { 'hard:soft:…' or '', ms since the last invalidation or -1, history }. O(1). Clock: the server's.
${historyLua(onFailover)}
local version = redis.call('GET', KEYS[1])
if not version then return { '', -1, history() } end
local at = tonumber(string.match(version, '%d+$'))
local time = redis.call('TIME')
return { version, at == 0 and -1 or time[1] * 1000 + math.floor(time[2] / 1000) - at, history() }`,
  )
}

/** Changes the versions of tags: both halves, or the soft one. The tags share a slot: in a Cluster it is one. */
export const invalidateTagsScript: Script = defineScript(
  'cache.invalidate-tags',
  `-- KEYS tags, and behind them the log, unless it lies in another slot
-- ARGV[1] new version (12 characters)  ARGV[2] '1' if soft  ARGV[3] lifetime in ms  ARGV[4] number of tags
-- Reply: 1. O(tags). Clock: the server's.
${announceLua}
local time = redis.call('TIME')
local at = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local names = {}
for i = 1, tonumber(ARGV[4]) do
  local hard = ARGV[1]
  local lifetime = tonumber(ARGV[3])
  if ARGV[2] == '1' then
    local version = redis.call('GET', KEYS[i])
    if version then
      hard = string.match(version, '^[^:]+')
      lifetime = math.max(lifetime, redis.call('PTTL', KEYS[i]))
    end
  end
  -- The first write is one that a full server allows; after it, it allows the others.
  redis.call('DEL', KEYS[i])
  redis.call('SET', KEYS[i], hard .. ':' .. ARGV[1] .. ':' .. at, 'PX', lifetime)
  names[i] = KEYS[i]
end
local log = KEYS[#names + 1]
if log then announce(log, names) end
return 1`,
)
