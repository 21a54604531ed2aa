/** Twin of `algorithms/fixed.ts`. In Redis the state is a plain counter with a TTL, unless a penalty is stored with it. O(1). */
export const fixedLua = `
A['fixed'] = {
  load = function(text, key, now)
    local spent, ttl = tonumber(text), redis.call('PTTL', key)
    if not spent or ttl <= 0 then return nil end
    return { spent, now + ttl }
  end,
  save = function(key, before, state, q, now)
    if before and before[2] == state[2] then
      redis.call('SET', key, int(state[1]), 'KEEPTTL')
    else
      redis.call('SET', key, int(state[1]), 'PX', int(state[2] - now))
    end
  end,
  advance = function(s, q, now)
    if s and now < s[2] then return s end
    return { 0, now + q.windowMs }
  end,
  available = function(s, q) return q.quota - s[1] end,
  debit = function(s, q, units) return { s[1] + units, s[2] } end,
  refund = function(s, q, units, id)
    if math.abs(s[2] - id) * 2 >= q.windowMs then return s end
    return { math.max(0, s[1] - units), s[2] }
  end,
  windowId = function(s) return s[2] end,
  waitMs = function(s, q, units, now)
    if units <= q.quota - s[1] then return 0 end
    if units > q.quota then return NEVER end
    return s[2] - now
  end,
  ttlMs = function(s, q, now) return s[2] - now end,
}
`
