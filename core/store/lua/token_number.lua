-- SPDX-License-Identifier: MIT
-- The integer id of a new token.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id   ARGV[2] -> token hash
-- Output: ok, number | USER_NOT_FOUND
if call('EXISTS', P .. 'user:' .. ARGV[1]) == 0 then return {'USER_NOT_FOUND'} end
local number = call('INCR', P .. 'seq:token')
call('SET', P .. 'tid:' .. number, ARGV[1] .. ':' .. ARGV[2])
return {'ok', number}
