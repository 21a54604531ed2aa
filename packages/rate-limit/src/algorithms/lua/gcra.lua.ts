/** Twin of `algorithms/gcra.ts`. O(1). */
export const gcraLua = `
do
  local function interval(q) return math.ceil(q.windowMs * 1000 / math.max(1, q.quota)) end
  A['gcra'] = {
    advance = function(s, q, now) return { math.max(s and s[1] or 0, now * 1000) } end,
    available = function(s, q, now)
      return math.floor((now * 1000 + q.burst * interval(q) - s[1]) / interval(q))
    end,
    debit = function(s, q, units) return { s[1] + units * interval(q) } end,
    refund = function(s, q, units, id, now)
      return { math.max(s[1] - units * interval(q), now * 1000) }
    end,
    windowId = function() return 0 end,
    waitMs = function(s, q, units, now)
      local waitUs = s[1] + (units - q.burst) * interval(q) - now * 1000
      if waitUs <= 0 then return 0 end
      if units > q.burst or q.quota == 0 then return NEVER end
      return math.ceil(waitUs / 1000)
    end,
    ttlMs = function(s, q, now) return math.max(1, math.ceil(s[1] / 1000) - now) end,
  }
end
`
