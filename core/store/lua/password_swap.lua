-- SPDX-License-Identifier: MIT
-- Replace a password hash if nobody else did meanwhile.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id   ARGV[2] -> old hash   ARGV[3] -> new hash
-- Output: ok | CONFLICT it is another one by now
local key = P .. 'user:' .. ARGV[1]
if call('HGET', key, 'hash') ~= ARGV[2] then return {'CONFLICT'} end
call('HSET', key, 'hash', ARGV[3])
return {'ok'}
