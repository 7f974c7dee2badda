-- SPDX-License-Identifier: MIT
-- Bring the working copy of an account to a version of the directory's; idempotent, never goes back.
-- KEYS[1] -> work prefix
-- ARGV[1] -> user id  [2] -> version  [3] -> number  [4] -> username  [5] -> email  [6] -> role  [7] -> status
-- ARGV[8] -> created ms  [9] -> 1 = a token follows: [10..17] as put_token
-- Output: ok | USER_NOT_FOUND deleted: a deleted account never comes back
local key = P .. 'u:' .. ARGV[1]
local u = call('HMGET', key, 'ver', 'status')
if u[2] == 'deleted' then return {'USER_NOT_FOUND'} end
if tonumber(u[1] or 0) < tonumber(ARGV[2]) then
  call('HSET', key, 'ver', ARGV[2], 'number', ARGV[3], 'username', ARGV[4], 'email', ARGV[5], 'role', ARGV[6],
    'status', ARGV[7], 'created', ARGV[8])
end
if ARGV[9] == '1' then put_token(ARGV[1], ARGV, 10) end
return {'ok'}
