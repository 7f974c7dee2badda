-- SPDX-License-Identifier: MIT
-- An account from another system, with the id that it had there.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id  [2] -> username  [3] -> email  [4] -> password hash  [5] -> role  [6] -> status  [7] -> created ms, 0 = now
-- Output: ok, account (common.lua), 1 made | 0 there already, and brought | USER_EXISTS an account that did not come from
--   there has the id, the name or the email | USER_NOT_FOUND it was here and is deleted
local id = ARGV[1]
local name, mail = P .. 'username:' .. string.lower(ARGV[2]), P .. 'email:' .. string.lower(ARGV[3])
local made = call('EXISTS', user_key(id)) == 0 and 1 or 0
if made == 0 and call('SISMEMBER', P .. 'brought', id) == 0 then return {'USER_EXISTS'} end
if made == 1 then
  if call('SISMEMBER', P .. 'gone', id) == 1 then return {'USER_NOT_FOUND'} end
  if call('EXISTS', name) == 1 or call('EXISTS', mail) == 1 then return {'USER_EXISTS'} end
  local created = ARGV[7] == '0' and num(NOW) or ARGV[7]
  call('SADD', P .. 'brought', id)
  call('SET', name, id)
  call('SET', mail, id)
  local number = call('INCR', P .. 'seq:user')
  call('SET', P .. 'uid:' .. number, id)
  call('ZADD', P .. 'users', created, id)
  changed(id, {'number', number, 'username', ARGV[2], 'email', ARGV[3], 'hash', ARGV[4], 'role', ARGV[5], 'status', ARGV[6],
    'created', created})
  audit('operator', 'registered', id, 'local', 'brought by migrate, ' .. ARGV[5])
end
local out = user_row({'ok'}, id, user_key(id))
out[#out + 1] = made
return out
