-- SPDX-License-Identifier: MIT
-- An attempt at a password ended, and not well.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> name key   ARGV[2] -> address key   ARGV[3] -> free failures   ARGV[4] -> failed | dropped | disabled
-- ARGV[5] -> user id, '' = unknown   ARGV[6] -> address
-- Output: ok
lift()
attempt_end(ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == 'failed' and 'failed' or 'dropped')
if ARGV[4] == 'failed' then audit('', 'login_failed', ARGV[5], ARGV[6], ARGV[5] == '' and 'unknown user' or '') end
if ARGV[4] == 'disabled' then audit(ARGV[5], 'login_refused', ARGV[5], ARGV[6]) end
return {'ok'}
