/** Twin of `algorithms/token-bucket.ts`. O(1). */
export const tokenBucketLua = `
local function fill(s, q, now)
  local full = q.burst * q.windowMs
  if not s then return { full, now } end
  if now <= s[2] then return s end
  return { math.min(full, s[1] + (now - s[2]) * q.quota), now }
end
A['token-bucket'] = {
  advance = fill,
  available = function(s, q) return math.floor(s[1] / q.windowMs) end,
  debit = function(s, q, units) return { s[1] - units * q.windowMs, s[2] } end,
  refund = function(s, q, units, id, now)
    if now < s[2] then return s end
    return { math.min(q.burst * q.windowMs, s[1] + units * q.windowMs), s[2] }
  end,
  windowId = function() return 0 end,
  waitMs = function(s, q, units, now)
    local missing = units * q.windowMs - s[1]
    if missing <= 0 then return 0 end
    if units > q.burst or q.quota == 0 then return NEVER end
    return math.ceil(missing / q.quota) + s[2] - now
  end,
  ttlMs = function(s, q, now)
    return math.max(1, math.ceil((q.burst * q.windowMs - s[1]) / math.max(1, q.quota)) + s[2] - now)
  end,
}
`
