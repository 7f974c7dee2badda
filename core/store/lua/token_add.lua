-- SPDX-License-Identifier: MIT
-- A token for an account.
-- KEYS[1] -> work prefix
-- ARGV[1] -> user id   ARGV[2..9] -> as put_token (common.lua)
-- Output: ok | USER_NOT_FOUND
if call('HGET', P .. 'u:' .. ARGV[1], 'status') ~= 'active' then return {'USER_NOT_FOUND'} end
put_token(ARGV[1], ARGV, 2)
return {'ok'}
