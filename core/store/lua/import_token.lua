-- SPDX-License-Identifier: MIT
-- A token from another system.
-- KEYS[1] -> work prefix
-- ARGV[1] -> user id  [2..8] -> as put_token (token.lua)  [9] -> created ms, 0 = now  [10] -> last used ms, 0 = not yet
-- Output: ok, 1 made | 0 there already, or was and is revoked | USER_NOT_FOUND | CONFLICT the password was changed here since
local owner, key = ARGV[1], P .. 'token:' .. ARGV[2]
local u = call('HMGET', P .. 'u:' .. owner, 'status', 'gen')
if not u[1] or u[1] == 'deleted' then return {'USER_NOT_FOUND'} end
if tonumber(u[2] or 0) > 0 then return {'CONFLICT'} end
if call('EXISTS', key) == 1 or call('SADD', P .. 'brought', ARGV[2]) == 0 then return {'ok', 0} end
put_token(owner, '0', ARGV, 2)
if ARGV[9] ~= '0' then call('HSET', key, 'created', ARGV[9]) end
if ARGV[10] ~= '0' then call('HSET', key, 'used', ARGV[10]) end
return {'ok', 1}
