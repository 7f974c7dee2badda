-- SPDX-License-Identifier: MIT
-- One account of the directory.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> a user_… id, an integer id, an email, or a username
-- Output: ok, account (common.lua), failed logins lately | USER_NOT_FOUND
-- What looks like an id is one: somebody may have taken it as a username, of an account that was deleted, too.
local name, id = ARGV[1], nil
if string.match(name, '^user_%x+$') and #name == 21 then
  id = name
elseif string.match(name, '^%d+$') then
  id = call('GET', P .. 'uid:' .. name)
else
  id = find_login(name)
end
if not id or call('EXISTS', user_key(id)) == 0 then return {'USER_NOT_FOUND'} end
local out = user_row({'ok'}, id, user_key(id))
local failed = 0
for _, login in ipairs({out[4], out[5]}) do failed = failed + tonumber(call('HGET', P .. 'try:n:' .. try_name(login), 'n') or 0) end
out[#out + 1] = failed
return out
