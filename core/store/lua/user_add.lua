-- SPDX-License-Identifier: MIT
-- A new account in the directory; its working copy follows by the outbox.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id  [2] -> username  [3] -> email  [4] -> password hash  [5] -> role  [6] -> 1 = it gets a token
-- Output: ok, number, created ms, version, token number (0 = none) | USER_EXISTS
-- Invariant: username and email are unique without regard to case; numbers are never used again.
local name, mail = P .. 'username:' .. string.lower(ARGV[2]), P .. 'email:' .. string.lower(ARGV[3])
if call('EXISTS', name) == 1 or call('EXISTS', mail) == 1 or call('EXISTS', P .. 'user:' .. ARGV[1]) == 1 then
  return {'USER_EXISTS'}
end
call('SET', name, ARGV[1])
call('SET', mail, ARGV[1])
local number, token = call('INCR', P .. 'seq:user'), 0
call('HSET', P .. 'user:' .. ARGV[1], 'number', number, 'username', ARGV[2], 'email', ARGV[3], 'hash', ARGV[4],
  'role', ARGV[5], 'status', 'active', 'created', num(NOW), 'ver', 1)
call('SET', P .. 'uid:' .. number, ARGV[1])
call('ZADD', P .. 'users', num(NOW), ARGV[1])
call('ZADD', P .. 'outbox', num(NOW), ARGV[1])
if ARGV[6] == '1' then token = call('INCR', P .. 'seq:token') end
return {'ok', number, num(NOW), 1, token}
