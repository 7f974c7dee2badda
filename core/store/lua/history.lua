-- SPDX-License-Identifier: MIT
-- A page of history, newest first. Cost: O(log) per (state, kind) range that is not empty, plus the page.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access  [5] -> limit  [6] -> offset  [7] -> bits of the states (0 = all)  [8] -> feature or ''
-- ARGV[9] -> model or ''  [10] -> from ms  [11] -> to ms (0 = open)  [12] -> cursor "<ms>:<ULID>" or ''  [13] -> user or ''
-- A page ends early, with a cursor, above PAGE_BYTES: one answer must not stop Redis and a server for seconds.
-- Output: ok, caller, admin, total, cursor ('' = no more), then per job: ULID, record, queue position, eta ms | refusal | FORBIDDEN
local owner, admin = access()
if not owner then return {admin} end
local scope = P .. 'i'
if not admin then
  if ARGV[13] ~= '' and ARGV[13] ~= owner then return {'FORBIDDEN', owner, '0'} end
  scope = P .. 'i:' .. owner
elseif ARGV[13] ~= '' then
  scope = P .. 'i:' .. ARGV[13]
end
local limit, offset, states = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local from = math.max(tonumber(ARGV[10]) - EPOCH, 0)
local to = tonumber(ARGV[11]) > 0 and math.max(math.min(tonumber(ARGV[11]) - EPOCH, SPAN - 1), 0) or SPAN - 1
local ranges, total = {}, 0
local all = call('HGETALL', P .. 'kinds')
for i = 1, #all, 2 do
  local feature, model = string.match(all[i], '^([^#][^/]*)/(.+)$')
  if feature and (ARGV[8] == '' or feature == ARGV[8]) and (ARGV[9] == '' or model == ARGV[9]) then
    for state = 0, 4 do
      local base = (state * 512 + tonumber(all[i + 1])) * SPAN
      if states == 0 or bit.band(states, 2 ^ state) ~= 0 then
        local c = call('ZCOUNT', scope, num(base + from), num(base + to))
        if c > 0 then ranges[#ranges + 1] = base end
        total = total + c
      end
    end
  end
end
local top, before = to, nil -- newest ms (since EPOCH) that may appear; ULIDs of that ms must be below `before`
if ARGV[12] ~= '' then
  local ms, ulid = string.match(ARGV[12], '^(%d+):(%w+)$')
  top, before = math.min(tonumber(ms) - EPOCH, to), ulid
elseif offset > 50 then -- jump: the newest ms with at least `offset` jobs above it, by bisection; what is skipped costs more
  local lo, hi = from, to
  local function above(ms)
    local c = 0
    for _, base in ipairs(ranges) do c = c + call('ZCOUNT', scope, '(' .. num(base + ms), num(base + to)) end
    return c
  end
  while lo < hi do
    local mid = math.floor((lo + hi) / 2)
    if above(mid) > offset then lo = mid + 1 else hi = mid end
  end
  top, offset = lo, offset - above(lo)
end
local found = {}
for _, base in ipairs(ranges) do
  local skip = 0
  if before then skip = call('ZCOUNT', scope, num(base + top), num(base + top)) end
  local rows = call('ZREVRANGEBYSCORE', scope, num(base + top), num(base + from), 'WITHSCORES', 'LIMIT', 0,
    num(offset + limit + 1 + skip))
  for i = 1, #rows, 2 do
    local ms = tonumber(rows[i + 1]) - base
    if not (before and ms == top and rows[i] >= before) then found[#found + 1] = {ms, rows[i]} end
  end
end
table.sort(found, function(a, b) return a[1] > b[1] or (a[1] == b[1] and a[2] > b[2]) end)
local PAGE_BYTES = 4194304
local out, last, at, bytes = {'ok', owner, admin_flag(admin), total, ''}, nil, offset, 0
while at < math.min(offset + limit, #found) and bytes < PAGE_BYTES do
  at = at + 1
  local ulid = found[at][2]
  local record, place, eta = job_seen(ulid)
  if record then
    out[#out + 1] = ulid
    out[#out + 1] = record
    bytes = bytes + #record
    out[#out + 1], out[#out + 2] = place, eta
  end
  last = found[at]
end
if last and #found > at then out[5] = num(last[1] + EPOCH) .. ':' .. last[2] end
return out
