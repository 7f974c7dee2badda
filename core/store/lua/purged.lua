-- SPDX-License-Identifier: MIT
-- The files of a deleted job are gone: so is it.
-- KEYS[1] -> work prefix
-- ARGV[1] -> ULID
-- Output: ok
call('DEL', P .. 'gone:' .. ARGV[1])
call('ZREM', P .. 'purge', ARGV[1])
return {'ok'}
