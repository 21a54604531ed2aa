import { defineScript, type Script } from '@scale/redis'
import type { AlgorithmName } from '../index.js'
import { luaEngine, luaPrelude } from './engine.lua.js'

/**
 * Decides on the requests of one turn of the event loop, one after the other; each pays into all its quotas or none.
 *
 * KEYS   the keys of all requests, in their order
 * ARGV   one for each run of requests that are alike but for their keys: `times count divisor`, then for each key of one of
 *        them `algorithm quota windowMs burst buckets cost`
 * Reply  a string of little-endian doubles, which client and server write and read for less than a list: for each request
 *        `granted`, then for each of its keys `remaining resetAfterMs waitMs windowId` (wait infinite: never); a request
 *        whose key holds something else answers −1 alone
 * Clock  the server's. O(keys × buckets)
 */
function consumeLua(names: readonly AlgorithmName[]): string {
  return `${luaPrelude(names)}${luaEngine}
local now, key, out = clock(), 0, {}
local function decide(request, count, divisor)
  local sane = true
  for j = 1, #request do
    local c = request[j]
    c.key = KEYS[key + j]
    local ok, before, endsAt = pcall(load, c.key, c.q, now)
    sane, c.before = sane and ok, before
    c.penaltyEndsAt, c.penaltyMs = endsAt, ok and math.max(0, endsAt - now)
  end
  key = key + #request
  if not sane then
    out[#out + 1] = struct.pack('<d', -1)
    return
  end
  local granted = consume(request, count, divisor, now)
  local numbers = { granted }
  for j = 1, #request do
    local c = request[j]
    if granted * c.cost > 0 then save(c, now) end
    balance(c, now, numbers)
  end
  out[#out + 1] = struct.pack('<' .. string.rep('d', #numbers), unpack(numbers))
end
for i = 1, #ARGV do
  local word = string.gmatch(ARGV[i], '%S+')
  local times, count, divisor = tonumber(word()), tonumber(word()), tonumber(word())
  local request = {}
  for name in word do
    local q = quota(name, word)
    request[#request + 1] = { q = q, cost = tonumber(word()) }
  end
  for _ = 1, times do decide(request, count, divisor) end
end
return table.concat(out)`
}

/**
 * Corrects quotas after the fact.
 *
 * KEYS   the keys
 * ARGV   one per key: `charge algorithm quota windowMs burst buckets units`, `refund … units windowId` or
 *        `penalize … blockMs`
 * Reply  the number of keys. A refund never makes a key. Clock: the server's. O(keys × buckets)
 */
function adjustLua(names: readonly AlgorithmName[]): string {
  return `${luaPrelude(names)}
local now = clock()
for i = 1, #KEYS do
  local word = string.gmatch(ARGV[i], '%S+')
  local verb, name = word(), word()
  local q = quota(name, word)
  local units, id = tonumber(word()), tonumber(word() or 0)
  local c = { key = KEYS[i], q = q }
  c.before, c.penaltyEndsAt = load(c.key, q, now)
  if verb == 'penalize' then
    local endsAt = math.max(c.penaltyEndsAt, now + units)
    write(c.key, c.before, endsAt, now, redis.call('PTTL', c.key))
  elseif c.before or verb == 'charge' then
    local s = q.a.advance(c.before, q, now)
    c.state = verb == 'charge' and q.a.debit(s, q, units) or q.a.refund(s, q, units, id, now)
    save(c, now)
  end
end
return #KEYS`
}

const made = new Map<string, Script>()

function script(
  name: string,
  text: (names: readonly AlgorithmName[]) => string,
  algorithms: ReadonlySet<AlgorithmName>,
): Script {
  const names = [...algorithms].sort()
  const id = `${name} ${names.join(' ')}`
  let known = made.get(id)
  if (known === undefined) {
    known = defineScript(name, text(names))
    made.set(id, known)
  }
  return known
}

/** The script that decides, with no more algorithms in it than are used: the text is run from its start on each call. */
export function consumeScript(algorithms: ReadonlySet<AlgorithmName>): Script {
  return script('rate-limit.consume', consumeLua, algorithms)
}

/** The script that settles and penalizes. */
export function adjustScript(algorithms: ReadonlySet<AlgorithmName>): Script {
  return script('rate-limit.adjust', adjustLua, algorithms)
}
