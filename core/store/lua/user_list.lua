-- SPDX-License-Identifier: MIT
-- Accounts, newest first.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> limit (1..1000)   ARGV[2] -> offset
-- Output: ok, total, then per account: id, number, username, email, role, status, created ms
local first = tonumber(ARGV[2])
local out = {'ok', call('ZCARD', P .. 'users')}
for _, id in ipairs(call('ZREVRANGE', P .. 'users', num(first), num(first + tonumber(ARGV[1]) - 1))) do
  local u = call('HMGET', P .. 'user:' .. id, 'number', 'username', 'email', 'role', 'status', 'created')
  out[#out + 1] = id
  for i = 1, 6 do out[#out + 1] = u[i] or '' end
end
return out
