// A session is one hash. Field names of format 1, beside `.key` for each top-level key of the data:
//
//   v  format, 1            h  SHA-256 of the token      p, g, n  replaced token: SHA-256, its end, nonce
//   c  created at           s  last seen at              q  '1': the successor of `p` was used
//   i  idle timeout, ms     x  absolute end              k  token's time began         a  authenticated at
//   r  revision             u  user id                   m  address and agent      w  '1' or '0': persistent cookie
//   z  '1': it ended lately, and nothing else is left    .key  `<revision> <JSON or sealed JSON>`
//
// The index of a user is a sorted set: member session id, score when the session ends if nobody uses it again.
// A session whose id is not in there is dead, whatever its hash says: removing one member revokes one session, and
// removing the set revokes all of them, in one step and for every write under way.

/** ARGV[1] sets the clock in tests; empty means the server's own. */
export const NOW = `
local now
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
else
  now = tonumber(ARGV[1])
end
local function int(number) return string.format('%.0f', number) end
`

/**
 * A session in few strings, because each costs the reader something: the instants and digests in one, the user, and
 * the data as key and value in turn. A \`-\` stands for what is not there.
 */
export const PACK = `
local function pack(fields, listed)
  -- A table of this size from the start: one that grows is made anew several times.
  local f = {
    v = '-', h = '-', c = '-', s = '-', k = '-', i = '-', x = '-', r = '-', a = '-', p = '-', g = '-', n = '-', q = '-', w = '-', u = '',
  }
  local reply, size, byte = { '', '' }, 2, string.byte
  for i = 1, #fields, 2 do
    local name = fields[i]
    if byte(name) == 46 then
      reply[size + 1] = string.sub(name, 2)
      reply[size + 2] = fields[i + 1]
      size = size + 2
    else
      f[name] = fields[i + 1]
    end
  end
  reply[1] = table.concat({
    f.v, int(now), listed and 1 or 0, f.h, f.c, f.s, f.k, f.i, f.x, f.r, f.a, f.p, f.g, f.n, f.q, f.w,
  }, ' ')
  reply[2] = f.u
  return reply, f
end
`

/** Twin of \`refusalOf\` in record.ts. @returns the fields, and whether the token is the last, replaced, or was good */
export const OPENS = `
local function opens(digest, opened_when)
  local f = redis.call('HMGET', KEYS[1], 'h', 'p', 'g', 's', 'i', 'x', 'u', 'q', 'a', 'n', 'r')
  if not f[1] then return end
  local age = digest == f[1] and 'last' or f[2] and digest == f[2] and now < tonumber(f[3]) and 'replaced'
    or opened_when == (f[9] or '0') and 'was good'
  if not age or now >= f[4] + f[5] or now >= tonumber(f[6]) then return end
  if f[7] and not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return end
  return f, age
end
`

/** Sets when the session ends if nobody uses it again. The index lives as long as the longest of its sessions. */
export const KEEP = `
local function keep(idle, absolute_end, user)
  local ends = math.min(now + idle, absolute_end)
  redis.call('PEXPIRE', KEYS[1], int(ends - now))
  if user then
    redis.call('ZADD', KEYS[2], int(ends), ARGV[2])
    if redis.call('PTTL', KEYS[2]) < ends - now then redis.call('PEXPIRE', KEYS[2], int(ends - now)) end
  end
end
`

/** How long it is known of a session that a request ended it, in ms: longer than any other request is on its way. */
export const ENDED_LATELY_MS = 60_000

/** Ends a session by its hash and id, and returns it packed; false if there is none. */
export const END: string = `
local function finish(key, id)
  local fields = redis.call('HGETALL', key)
  local listed = redis.call('ZREM', KEYS[2], id)
  if #fields == 0 or fields[1] == 'z' then return false end
  redis.call('DEL', key)
  redis.call('HSET', key, 'z', '1')
  redis.call('PEXPIRE', key, ${ENDED_LATELY_MS})
  return (pack(fields, listed == 1))
end
`
