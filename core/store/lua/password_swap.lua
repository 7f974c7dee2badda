-- SPDX-License-Identifier: MIT
-- Replace a password hash by another one of the same password, if nobody else did meanwhile.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id   ARGV[2] -> old hash   ARGV[3] -> new hash
-- Output: ok | CONFLICT it is another one by now
if call('HGET', user_key(ARGV[1]), 'hash') ~= ARGV[2] then return {'CONFLICT'} end
call('HSET', user_key(ARGV[1]), 'hash', ARGV[3])
return {'ok'}
