-- SPDX-License-Identifier: MIT
-- An account is deleted: from here on its tokens are refused, its queued jobs never start, its leases are refused.
-- The reaper empties it in bounded rounds (tombs). Idempotent.
-- KEYS[1] -> work prefix
-- ARGV[1] -> user id
-- Output: ok
local key = P .. 'u:' .. ARGV[1]
if call('HGET', key, 'status') ~= 'deleted' then
  call('DEL', key)
  call('HSET', key, 'status', 'deleted', 'deleted', num(NOW), 'ver', '999999999')
  call('SADD', P .. 'tombs', ARGV[1])
  tell(ARGV[1], 'account ' .. ARGV[1])
end
return {'ok'}
