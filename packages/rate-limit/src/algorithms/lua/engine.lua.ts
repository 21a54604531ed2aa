import type { AlgorithmName } from '../index.js'
import { fixedLua } from './fixed.lua.js'
import { strictLua } from './strict.lua.js'
import { tokenBucketLua } from './token-bucket.lua.js'

/** The twins, under the names of the originals. */
export const luaAlgorithms: Record<AlgorithmName, string> = {
  fixed: fixedLua,
  strict: strictLua,
  'token-bucket': tokenBucketLua,
}

/**
 * What every script starts with: the algorithms it needs, in the table `A`, and how states are stored.
 *
 * A state is stored as its numbers; before them stands `!` and when a penalty ends, if there is one.
 *
 * Numbers are integers below 2^53. `tostring` would write large ones as `1.8e+15`, so `int` formats them.
 */
export function luaPrelude(names: readonly AlgorithmName[]): string {
  return `
local A, NEVER = {}, math.huge
local function int(n) return string.format('%.0f', n) end
${names.map((name) => luaAlgorithms[name]).join('')}
local function load(key, q, now)
  local text = redis.call('GET', key)
  if not text then return nil, 0 end
  local s, endsAt = {}, 0
  if string.byte(text) == 33 then
    local _, last, ends = string.find(text, '^!(%d+)')
    endsAt, text = tonumber(ends), string.sub(text, last + 1)
  elseif q.a.load then
    return q.a.load(text, key, now), 0
  end
  for n in string.gmatch(text, '%S+') do s[#s + 1] = tonumber(n) end
  return #s > 0 and s or nil, endsAt
end
local function write(key, s, endsAt, now, ttlMs)
  local text = { endsAt > now and '!' .. int(endsAt) or nil }
  for i = 1, s and #s or 0 do text[#text + 1] = int(s[i]) end
  redis.call('SET', key, table.concat(text, ' '), 'PX', int(math.max(endsAt - now, ttlMs)))
end
local function save(c, now)
  local s, q, endsAt = c.state, c.q, c.penaltyEndsAt
  if not q.a.save or endsAt > now then return write(c.key, s, endsAt, now, q.a.ttlMs(s, q, now)) end
  q.a.save(c.key, endsAt == 0 and c.before, s, q, now)
end
local function quota(name, word)
  local q = { a = A[name], quota = tonumber(word()), windowMs = tonumber(word()) }
  q.burst, q.buckets = tonumber(word()), tonumber(word())
  return q
end
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
`
}

/** Twin of `algorithms/engine.ts`: pure, like the algorithms it drives. Forms part of the script that uses it. */
export const luaEngine = `
local function consume(accounts, count, divisor, now)
  local granted = count
  for i = 1, #accounts do
    local c = accounts[i]
    if c.penaltyMs > 0 then granted = 0 end
    c.state = c.q.a.advance(c.before, c.q, now)
    if c.cost > 0 then
      local affordable = math.floor(math.max(0, c.q.a.available(c.state, c.q, now)) / c.cost)
      granted = math.min(granted, affordable, math.max(1, math.floor(affordable / divisor)))
    end
  end
  for i = 1, #accounts do
    local c = accounts[i]
    c.state = c.q.a.debit(c.state, c.q, granted * c.cost)
  end
  return granted
end
local function balance(c, now, out)
  local a, q, s, penaltyMs = c.q.a, c.q, c.state, c.penaltyMs
  local left = math.max(0, a.available(s, q, now))
  local whole = left >= q.burst or (penaltyMs > 0 and left > 0)
  out[#out + 1] = penaltyMs > 0 and 0 or left
  out[#out + 1] = math.max(penaltyMs, whole and 0 or a.waitMs(s, q, left + 1, now))
  out[#out + 1] = math.max(penaltyMs, a.waitMs(s, q, c.cost, now))
  out[#out + 1] = a.windowId(s)
end
`
