-- SPDX-License-Identifier: MIT
-- Account changes whose way into the work family may have been cut off.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> get (those older than 2 s, at most 16), or done   ARGV[2] -> done: user id
-- ARGV[3] -> done: version that has arrived, 0 = deleted
-- Output: get: ok, then accounts (common.lua; of a deleted one only the id is not empty) | done: ok
if ARGV[1] == 'done' then
  if (call('HGET', user_key(ARGV[2]), 'ver') or '0') == ARGV[3] then call('ZREM', P .. 'outbox', ARGV[2]) end
  return {'ok'}
end
local out = {'ok'}
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'outbox', '-inf', num(NOW - 2000), 'LIMIT', 0, 16)) do
  call('ZADD', P .. 'outbox', num(NOW), id) -- the next ones first, should this one go wrong
  user_row(out, id, user_key(id))
end
return out
