-- SPDX-License-Identifier: MIT
-- The bytes of all files, summed up page by page. What changes meanwhile ends the walk: a job that ends is the newest,
-- one that goes changes bytes or number. As that is no proof (one may come and go), a difference counts when two walks
-- have found the same, and only then it is repaired.
-- KEYS[1] -> work prefix
-- ARGV[1..2] -> as doctor.lua   ARGV[3] -> cursor, 0 = from the beginning   ARGV[4] -> difference that the last walk has found, or ''
-- Output: as doctor_keys; detail: the difference; cursor `changed`: begin again, `unread`: cannot be known, a record
--   cannot be read
local next_cursor = '0'
if REPAIR then lift() end
guard('bytes', function()
  local rank, sum, seen = string.match(ARGV[3], '^(%d+) (%d+) (.+)$')
  local bytes = tonumber(call('GET', P .. 'bytes') or '0') or 0
  local newest = call('ZRANGE', P .. 'large', -1, -1)[1] or '-'
  local mark = num(bytes) .. ' ' .. call('ZCARD', P .. 'large') .. ' ' .. newest
  next_cursor = 'changed'
  if seen and seen ~= mark then return end
  rank, sum = tonumber(rank or 0), tonumber(sum or 0)
  local page = call('ZRANGE', P .. 'large', num(rank), num(rank + INLINE - 1))
  next_cursor = 'unread'
  for _, ulid in ipairs(page) do
    local s = call('GETRANGE', job_key(ulid), 0, HEAD - 1)
    if s ~= '' and not readable(ulid, s) then return end
    sum = sum + (s == '' and 0 or head_parse(s).files)
  end
  next_cursor = num(rank + #page) .. ' ' .. num(sum) .. ' ' .. mark
  if #page == INLINE then return end
  next_cursor = '0'
  local off = num(sum - bytes)
  if off == '0' or off == '-0' then return end
  local mend = ARGV[4] == off and function() call('SET', P .. 'bytes', num(sum)) end or nil
  problem('bytes', 'bytes', off, mend)
end)
return answer(next_cursor, 0)
