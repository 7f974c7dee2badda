-- SPDX-License-Identifier: MIT
-- Remove an account from the directory; name and email become free. The work family follows by the outbox.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id   ARGV[2] -> actor   ARGV[3] -> address
-- Output: ok | USER_NOT_FOUND
local u = call('HMGET', user_key(ARGV[1]), 'username', 'email', 'number')
if not u[1] then return {'USER_NOT_FOUND'} end
call('DEL', user_key(ARGV[1]), P .. 'username:' .. string.lower(u[1]), P .. 'email:' .. string.lower(u[2]), P .. 'uid:' .. u[3])
call('ZREM', P .. 'users', ARGV[1])
call('SADD', P .. 'gone', ARGV[1]) -- its id is never used again, by no migration either
call('ZADD', P .. 'outbox', num(NOW), ARGV[1])
audit(ARGV[2], 'deleted', ARGV[1], ARGV[3])
return {'ok'}
