-- SPDX-License-Identifier: MIT
-- Accounts, newest first.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> limit (1..1000)   ARGV[2] -> offset
-- Output: ok, total, then accounts (common.lua)
local first = tonumber(ARGV[2])
local out = {'ok', call('ZCARD', P .. 'users')}
for _, id in ipairs(call('ZREVRANGE', P .. 'users', num(first), num(first + tonumber(ARGV[1]) - 1))) do
  user_row(out, id, user_key(id))
end
return out
