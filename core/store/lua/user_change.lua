-- SPDX-License-Identifier: MIT
-- Change fields of an account; its working copy follows by the outbox. What is as it was stays, and is no entry.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> user id  [2] -> actor  [3] -> address  [4..] -> field, value; value '' takes a limit away
-- Output: ok, account (common.lua) | USER_NOT_FOUND | USER_EXISTS the username is taken
-- Invariant: usernames are unique without regard to case.
local ACTION = {username = 'username_changed', role = 'role_changed', status = 'status_changed',
  max_concurrent_jobs = 'limits_changed', max_queued_jobs = 'limits_changed'}
local id = ARGV[1]
local key = user_key(id)
local name = call('HGET', key, 'username')
if not name then return {'USER_NOT_FOUND'} end
for i = 4, #ARGV, 2 do -- judge all, then change
  local holder = ARGV[i] == 'username' and call('GET', P .. 'username:' .. string.lower(ARGV[i + 1]))
  if holder and holder ~= id then return {'USER_EXISTS'} end
end
lift()
local fields = {}
for i = 4, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  local old = call('HGET', key, field) or ''
  if old ~= value then
    if field == 'username' then
      call('DEL', P .. 'username:' .. string.lower(old))
      call('SET', P .. 'username:' .. string.lower(value), id)
    end
    if value == '' then
      call('HDEL', key, field)
    else
      fields[#fields + 1], fields[#fields + 2] = field, value
    end
    local limit = ACTION[field] == 'limits_changed'
    local say = field == 'username' and '' or (limit and field .. ' ' or '') .. (old == '' and 'default' or old) .. ' -> '
      .. (value == '' and 'default' or value)
    audit(ARGV[2], ACTION[field], id, ARGV[3], say)
  end
end
changed(id, fields)
return user_row({'ok'}, id, key)
