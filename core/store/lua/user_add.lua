-- SPDX-License-Identifier: MIT
-- A new account in the directory; its working copy follows by the outbox.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id  [2] -> username  [3] -> email  [4] -> password hash  [5] -> role  [6] -> 1 = it gets a token
-- ARGV[7] -> actor for the audit ('' = the account itself)  [8] -> address
-- Output: ok, account (common.lua), token number (0 = none) | USER_EXISTS
-- Invariant: username and email are unique without regard to case; numbers are never used again.
local id = ARGV[1]
local name, mail = P .. 'username:' .. string.lower(ARGV[2]), P .. 'email:' .. string.lower(ARGV[3])
if call('EXISTS', name) == 1 or call('EXISTS', mail) == 1 or call('EXISTS', user_key(id)) == 1 then
  return {'USER_EXISTS'}
end
call('SET', name, id)
call('SET', mail, id)
local number, token = call('INCR', P .. 'seq:user'), 0
call('SET', P .. 'uid:' .. number, id)
call('ZADD', P .. 'users', num(NOW), id)
changed(id, {'number', number, 'username', ARGV[2], 'email', ARGV[3], 'hash', ARGV[4], 'role', ARGV[5], 'status', 'active',
  'created', num(NOW)})
if ARGV[6] == '1' then token = call('INCR', P .. 'seq:token') end
audit(ARGV[7] ~= '' and ARGV[7] or id, 'registered', id, ARGV[8], ARGV[5])
local out = user_row({'ok'}, id, user_key(id))
out[#out + 1] = token
return out
