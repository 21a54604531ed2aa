import { MERGE_DEPTH } from '../../data/merge.js'

/**
 * Twin of `merge` in data/merge.ts, on texts as `JSON.stringify` writes them: objects are taken apart into names and
 * values and put together again, nothing is decoded, so that no number or string changes on the way. Empty is absent.
 * Names that are array indexes come first, as JavaScript orders them: else a reader would find its own text changed.
 */
export const MERGE: string = `
local function string_end(text, at)
  while true do
    at = string.find(text, '["\\\\]', at + 1)
    if not at or string.byte(text, at) == 34 then return at end
    at = at + 1
  end
end
local function value_end(text, at)
  local first = string.byte(text, at)
  if first == 34 then return string_end(text, at) end
  if first ~= 123 and first ~= 91 then return (string.find(text, '[,}%]]', at) or 0) - 1 end
  local depth = 0
  while at do
    local byte = string.byte(text, at)
    if byte == 34 then
      at = string_end(text, at)
    elseif byte == 123 or byte == 91 then
      depth = depth + 1
    else
      depth = depth - 1
      if depth == 0 then return at end
    end
    at = at and string.find(text, '["{}%[%]]', at + 1)
  end
end
local function members(text)
  local names, values, at = {}, {}, 2
  while string.byte(text, at) == 34 do
    local name_end = string_end(text, at)
    local last = value_end(text, name_end + 2)
    local name = string.sub(text, at, name_end)
    names[#names + 1] = name
    values[name] = string.sub(text, name_end + 2, last)
    at = last + 2
  end
  return names, values
end
local function merge(base, ours, theirs, depth)
  if ours == base then return theirs end
  if theirs == base then return ours end
  if string.byte(ours) ~= 123 or string.byte(theirs) ~= 123 or depth == ${MERGE_DEPTH} then return ours end
  local _, from = members(string.byte(base) == 123 and base or '{}')
  local our_names, our = members(ours)
  local their_names, their = members(theirs)
  local indexes, parts = {}, {}
  local function add(name)
    local value = merge(from[name] or '', our[name] or '', their[name] or '', depth + 1)
    if value == '' then return end
    local index = string.match(name, '^"(%d+)"$')
    if index and (index == '0' or string.byte(index) ~= 48) and #index < 11 and tonumber(index) < 4294967295 then
      indexes[#indexes + 1] = { tonumber(index), name .. ':' .. value }
    else
      parts[#parts + 1] = name .. ':' .. value
    end
  end
  for _, name in ipairs(their_names) do add(name) end
  for _, name in ipairs(our_names) do
    if not their[name] then add(name) end
  end
  table.sort(indexes, function(a, b) return a[1] < b[1] end)
  for i = #indexes, 1, -1 do table.insert(parts, 1, indexes[i][2]) end
  return '{' .. table.concat(parts, ',') .. '}'
end
`
