-- SPDX-License-Identifier: MIT
-- The integer id of a new token.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id   ARGV[2] -> 1 = a token of the 43-character form: from now on such tokens are worth asking for
-- Output: ok, number | USER_NOT_FOUND
if call('EXISTS', user_key(ARGV[1])) == 0 then return {'USER_NOT_FOUND'} end
if ARGV[2] == '1' then call('SET', P .. 'legacy', '1') end
return {'ok', call('INCR', P .. 'seq:token')}
