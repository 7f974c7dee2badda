-- SPDX-License-Identifier: MIT
-- The keys of signed URLs: the half of each that is in Redis.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> get | rotate | now   ARGV[2] -> a new secret, hex   ARGV[3] -> rotate: ms that old keys are verified
-- ARGV[4] -> actor   ARGV[5] -> address
-- Output: ok, 1 = 43-character tokens exist, then per key: number, secret, signs from ms, verified until ms (0 = no end)
--   | BUSY rotated too often
-- Invariant: there is always one without an end; a new one signs only when every process has seen it.
local SEEN, MOST = 15000, 8
local all, live = call('HGETALL', P .. 'keys'), {}
for i = 1, #all, 2 do
  local secret, from, ends = string.match(all[i + 1], '^(%x+) (%d+) (%d+)$')
  if tonumber(ends) > 0 and tonumber(ends) <= NOW then
    call('HDEL', P .. 'keys', all[i])
  else
    live[#live + 1] = {all[i], secret, from, ends}
  end
end
local function add(from)
  local key = {num(call('INCR', P .. 'seq:key')), ARGV[2], num(from), '0'}
  call('HSET', P .. 'keys', key[1], key[2] .. ' ' .. key[3] .. ' 0')
  live[#live + 1] = key
end
if ARGV[1] == 'now' then
  call('DEL', P .. 'keys')
  live = {}
  add(NOW)
elseif ARGV[1] == 'rotate' then
  if #live >= MOST then return {'BUSY'} end
  for _, key in ipairs(live) do
    if key[4] == '0' then
      key[4] = num(NOW + SEEN + tonumber(ARGV[3]))
      call('HSET', P .. 'keys', key[1], key[2] .. ' ' .. key[3] .. ' ' .. key[4])
    end
  end
  add(NOW + SEEN)
elseif #live == 0 then
  add(NOW)
end
if ARGV[1] ~= 'get' then audit(ARGV[4], 'keys_rotated', '', ARGV[5], ARGV[1] == 'now' and 'at once' or '') end
local out = {'ok', call('EXISTS', P .. 'legacy')}
for _, key in ipairs(live) do
  for i = 1, 4 do out[#out + 1] = key[i] end
end
return out
