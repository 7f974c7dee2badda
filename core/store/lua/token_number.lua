-- SPDX-License-Identifier: MIT
-- The integer id of a new token.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id
-- Output: ok, number | USER_NOT_FOUND
if call('EXISTS', P .. 'user:' .. ARGV[1]) == 0 then return {'USER_NOT_FOUND'} end
return {'ok', call('INCR', P .. 'seq:token')}
