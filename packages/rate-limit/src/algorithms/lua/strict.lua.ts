/** Twin of `algorithms/strict.ts`. O(buckets). */
export const strictLua = `
do
  local function width(q) return math.ceil(q.windowMs / q.buckets) end
  local function leavesAt(bucket, q) return (bucket + q.buckets + 1) * width(q) end
  local function spentIn(s)
    local spent = 0
    for i = 2, #s do spent = spent + s[i] end
    return spent
  end
  local function copy(s)
    local to = {}
    for i = 1, #s do to[i] = s[i] end
    return to
  end
  local function advance(s, q, now)
    local bucket, length = math.floor(now / width(q)), q.buckets + 1
    local passed = s and bucket - s[1] or length
    if passed <= 0 then return s end
    local to = { bucket }
    for i = 1, length do to[i + 1] = passed < length and s[i + 1 + passed] or 0 end
    return to
  end
  A['strict'] = {
    advance = advance,
    available = function(s, q) return q.quota - spentIn(s) end,
    debit = function(s, q, units)
      local to = copy(s)
      to[#to] = to[#to] + units
      return to
    end,
    refund = function(s, q, units, id)
      local i = id - (s[1] - q.buckets) + 2
      if i < 2 or i > #s then return s end
      local to = copy(s)
      to[i] = math.max(0, to[i] - units)
      return to
    end,
    windowId = function(s) return s[1] end,
    waitMs = function(s, q, units, now)
      if units > q.quota then return NEVER end
      local missing, i = spentIn(s) + units - q.quota, 1
      while missing > 0 do
        i = i + 1
        missing = missing - s[i]
      end
      if i == 1 then return 0 end
      return leavesAt(s[1] - q.buckets + i - 2, q) - now
    end,
    ttlMs = function(s, q, now) return leavesAt(s[1], q) - now end,
  }
end
`
