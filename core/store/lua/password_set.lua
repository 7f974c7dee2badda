-- SPDX-License-Identifier: MIT
-- A new password. With a new generation every token of an older one is over.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id  [2] -> old hash, '' = whatever it is  [3] -> new hash  [4] -> 1 = new generation
-- ARGV[5] -> actor  [6] -> address  [7] -> name key of the attempt, '' = none  [8] -> address key  [9] -> free failures
-- Output: ok, account (common.lua) | USER_NOT_FOUND | CONFLICT it is another one by now
lift()
local key = user_key(ARGV[1])
local u = call('HMGET', key, 'hash', 'gen', 'pw')
local good = u[1] and (ARGV[2] == '' or u[1] == ARGV[2])
if ARGV[7] ~= '' then attempt_end(ARGV[7], ARGV[8], tonumber(ARGV[9]), good and 'right' or 'dropped') end
if not u[1] then return {'USER_NOT_FOUND'} end
if not good then return {'CONFLICT'} end
local fields = {'hash', ARGV[3], 'pw', tonumber(u[3] or 0) + 1} -- a login under way with the old one ends in nothing
if ARGV[4] == '1' then fields[5], fields[6] = 'gen', tonumber(u[2] or 0) + 1 end
changed(ARGV[1], fields)
audit(ARGV[5], ARGV[5] == ARGV[1] and 'password_changed' or 'password_set', ARGV[1], ARGV[6],
  ARGV[4] == '1' and 'tokens revoked' or 'tokens kept')
return user_row({'ok'}, ARGV[1], key)
