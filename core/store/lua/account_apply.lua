-- SPDX-License-Identifier: MIT
-- Bring the working copy of an account to a version of the directory's; idempotent, never goes back.
-- KEYS[1] -> work prefix
-- ARGV[1..12] -> account (common.lua)   ARGV[13] -> hash of the token that a new generation leaves, or ''
-- ARGV[14] -> 1 = a token follows: [15..21] as put_token (token.lua)
-- Output: ok | USER_NOT_FOUND deleted: a deleted account never comes back
local id = ARGV[1]
local key = P .. 'u:' .. id
local u = call('HMGET', key, 'ver', 'status', 'gen')
if u[2] == 'deleted' then return {'USER_NOT_FOUND'} end
lift()
if tonumber(u[1] or 0) < tonumber(ARGV[12]) then
  for i, field in ipairs(USER) do
    if ARGV[i + 1] == '' then
      call('HDEL', key, field)
    else
      call('HSET', key, field, ARGV[i + 1])
    end
  end
  local gen = tonumber(ARGV[11]) or 0
  if gen > tonumber(u[3] or 0) then bury_tokens(id, num(gen), ARGV[13]) end
  unpark(id)
  tell(id, 'account ' .. id)
end
if ARGV[14] == '1' then put_token(id, ARGV[11] == '' and '0' or ARGV[11], ARGV, 15) end
return {'ok'}
