-- SPDX-License-Identifier: MIT
-- Account changes whose way into the work family may have been cut off.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> get (those older than 2 s, at most 16), or done   ARGV[2] -> done: user id   ARGV[3] -> done: version that has arrived, 0 = deleted
-- Output: get: ok, then per account: id, version (0 = deleted), number, username, email, role, status, created ms | done: ok
if ARGV[1] == 'done' then
  if (call('HGET', P .. 'user:' .. ARGV[2], 'ver') or '0') == ARGV[3] then call('ZREM', P .. 'outbox', ARGV[2]) end
  return {'ok'}
end
local out = {'ok'}
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'outbox', '-inf', num(NOW - 2000), 'LIMIT', 0, 16)) do
  local u = call('HMGET', P .. 'user:' .. id, 'ver', 'number', 'username', 'email', 'role', 'status', 'created')
  out[#out + 1] = id
  out[#out + 1] = u[1] or '0'
  for i = 2, 7 do out[#out + 1] = u[i] or '' end
end
return out
