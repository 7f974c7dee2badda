-- SPDX-License-Identifier: MIT
-- Remove an account from the directory; name and email become free. The work family follows by the outbox.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id
-- Output: ok | USER_NOT_FOUND
local u = call('HMGET', P .. 'user:' .. ARGV[1], 'username', 'email', 'number')
if not u[1] then return {'USER_NOT_FOUND'} end
call('DEL', P .. 'user:' .. ARGV[1], P .. 'username:' .. string.lower(u[1]), P .. 'email:' .. string.lower(u[2]),
  P .. 'uid:' .. u[3])
call('ZREM', P .. 'users', ARGV[1])
call('ZADD', P .. 'outbox', num(NOW), ARGV[1])
return {'ok'}
