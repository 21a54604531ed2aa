import { defineScript, type Script } from '@scale/redis'

// KEYS   index
// ARGV   limit, id that the wanted ones come after or ''
// Reply  ids, the last used first; none if that id is not there
// Cost   O(log(families of the user) + limit)
export const listIdsScript: Script = defineScript(
  'auth.list-ids',
  `local first = 0
if ARGV[2] ~= '' then
  local rank = redis.call('ZREVRANK', KEYS[1], ARGV[2])
  if not rank then return {} end
  first = rank + 1
end
return redis.call('ZREVRANGE', KEYS[1], first, first + ARGV[1] - 1)`,
)
