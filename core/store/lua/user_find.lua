-- SPDX-License-Identifier: MIT
-- One account of the directory.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> login (username, or email with an '@') or id   ARGV[2] -> the name or the user id
-- Output: ok, id, number, username, email, role, status, created ms, version, password hash | USER_NOT_FOUND
local id = ARGV[2]
if ARGV[1] == 'login' then
  local lower = string.lower(ARGV[2])
  id = call('GET', P .. (string.find(lower, '@', 1, true) and 'email:' or 'username:') .. lower)
end
local u = id and call('HMGET', P .. 'user:' .. id, 'number', 'username', 'email', 'role', 'status', 'created', 'ver', 'hash')
if not u or not u[1] then return {'USER_NOT_FOUND'} end
return {'ok', id, u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8]}
