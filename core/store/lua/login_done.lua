-- SPDX-License-Identifier: MIT
-- The password was right: the attempt is over, and the login token gets its number.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> name key   ARGV[2] -> address key   ARGV[3] -> free failures   ARGV[4] -> user id
-- ARGV[5] -> number of passwords set when the attempt began   ARGV[6] -> address
-- Output: ok, token number | LOGIN_FAILED the account or its password is another one by now
lift()
local key = user_key(ARGV[4])
local u = call('HMGET', key, 'username', 'email', 'pw')
if not u[1] or tonumber(u[3] or 0) ~= tonumber(ARGV[5]) then
  attempt_end(ARGV[1], ARGV[2], tonumber(ARGV[3]), 'dropped')
  return {'LOGIN_FAILED'}
end
attempt_end(ARGV[1], ARGV[2], tonumber(ARGV[3]), 'right')
call('DEL', P .. 'try:n:' .. try_name(u[1]), P .. 'try:n:' .. try_name(u[2]))
call('HSET', key, 'last_login', num(NOW))
audit(ARGV[4], 'login', ARGV[4], ARGV[6])
return {'ok', call('INCR', P .. 'seq:token')}
