-- SPDX-License-Identifier: MIT
-- Somebody wants a password hashed: is it time, and what is there to compare with? Full memory refuses it: failures are
-- counted in memory.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> login = [2] is a username or email; id = [2] is a user id; register = [2] is a new
-- username   ARGV[3] -> address key   ARGV[4] -> free failures   ARGV[5] -> register: the email
-- Output: ok, name key, account (common.lua), password hash, number of passwords set | ok, '' (register) | USER_EXISTS | USER_NOT_FOUND, name key (has begun as well)
--   | RATE_LIMITED, ms to wait (has not begun)
local id, login = nil, ARGV[2]
if ARGV[1] == 'register' then
  local wait = attempt_begin('', ARGV[3], tonumber(ARGV[4]))
  if wait then return {'RATE_LIMITED', wait} end
  if find_login(ARGV[2]) or find_login(ARGV[5]) then -- no hash for nothing
    attempt_end('', ARGV[3], tonumber(ARGV[4]), 'dropped')
    return {'USER_EXISTS'}
  end
  return {'ok', ''}
end
if ARGV[1] == 'id' then
  id, login = ARGV[2], call('HGET', user_key(ARGV[2]), 'username') or ''
else
  id = find_login(login)
end
local name = try_name(login)
local wait = attempt_begin(name, ARGV[3], tonumber(ARGV[4]))
if wait then return {'RATE_LIMITED', wait} end
local hash = id and call('HGET', user_key(id), 'hash')
if not hash then return {'USER_NOT_FOUND', name} end
local out = user_row({'ok', name}, id, user_key(id))
out[#out + 1], out[#out + 2] = hash, tonumber(call('HGET', user_key(id), 'pw') or 0)
return out
