-- SPDX-License-Identifier: MIT
-- The audit, newest first. Looks at a bounded number of entries: a page for one user may be short and go on.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> limit (1..1000)   ARGV[2] -> cursor: only entries older than this id, or ''   ARGV[3] -> user id, or ''
-- Output: ok, cursor ('' = no more), then per entry: id, ms, actor, action, target, address, detail
local LOOK = 500
local limit, user = tonumber(ARGV[1]), ARGV[3]
local look = user == '' and limit or LOOK
local from = ARGV[2] ~= '' and '(' .. ARGV[2] .. '-0' or '+'
local function id_of(row) return tonumber(string.match(row[1], '^%d+')) end
local found, floor = {}, 0 -- floor: the oldest id down to which all streams were looked at
for _, stream in ipairs({'audit', 'audit:self', 'audit:failed'}) do
  local rows = call('XREVRANGE', P .. stream, from, '-', 'COUNT', look)
  for _, row in ipairs(rows) do found[#found + 1] = row end
  if #rows == look then floor = math.max(floor, id_of(rows[look])) end
end
table.sort(found, function(a, b) return id_of(a) > id_of(b) end)
local out, n, last, more = {'ok', ''}, 0, nil, floor > 0
for _, row in ipairs(found) do
  if id_of(row) < floor then break end
  if n == limit then
    more = true
    break
  end
  last = num(id_of(row))
  local e = {}
  for i = 1, #row[2], 2 do e[row[2][i]] = row[2][i + 1] end
  if user == '' or e.actor == user or e.target == user then
    n = n + 1
    out[#out + 1] = last
    for _, field in ipairs({'at', 'actor', 'action', 'target', 'address', 'detail'}) do out[#out + 1] = e[field] or '' end
  end
end
if more and last then out[2] = last end
return out
