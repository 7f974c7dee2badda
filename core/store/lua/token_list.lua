-- SPDX-License-Identifier: MIT
-- The caller's tokens, newest first.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (work.lua)   ARGV[5] -> limit (1..1000)   ARGV[6] -> offset
-- Output: ok, caller, admin, total, now ms, then per token: number, prefix, name, scopes in effect, created ms, expires ms,
--   last used ms (0 = not yet) | refusal
local owner, admin = access()
if not owner then return {admin} end
local all = call('HGET', P .. 'u:' .. owner, 'role') == 'admin' and ALL or ALL - ADMIN
local out = {'ok', owner, admin_flag(admin), 0, num(NOW)}
local first = tonumber(ARGV[6])
for _, member in ipairs(call('ZREVRANGE', P .. 'tokens:' .. owner, num(first), num(first + tonumber(ARGV[5]) - 1))) do
  local sha, prefix = token_member(member)
  local t = call('HMGET', P .. 'token:' .. sha, 'number', 'prefix', 'name', 'scopes', 'created', 'expires', 'used')
  if t[1] then
    t[4] = bit.band(tonumber(t[4] or ALL), all)
    for i = 1, 7 do out[#out + 1] = t[i] or '0' end
  else -- over for more than a day
    forget_token(owner, sha, prefix)
  end
end
out[4] = call('ZCARD', P .. 'tokens:' .. owner)
return out
