-- SPDX-License-Identifier: MIT
-- An attempt is over: whoever still waits on its control list is let go, and the list goes by itself.
-- KEYS[1] -> work prefix
-- ARGV[1] -> nonce
-- Output: ok
lift()
call('RPUSH', P .. 'ctl:' .. ARGV[1], '0')
call('PEXPIRE', P .. 'ctl:' .. ARGV[1], 1000)
return {'ok'}
