-- SPDX-License-Identifier: MIT
-- End one of the caller's tokens.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (work.lua)   ARGV[5] -> hash of the token, or ''   ARGV[6] -> its first 8 to 12 characters, or ''
-- Output: ok, caller, admin, prefix | refusal | TOKEN_NOT_FOUND | TOKEN_AMBIGUOUS
local owner, admin = access()
if not owner then return {admin} end
local function refuse(why) return {why, owner, admin_flag(admin)} end
local sha = ARGV[5]
if sha == '' then
  local found = {}
  for _, row in ipairs(call('ZRANGEBYLEX', P .. 'prefixes:' .. owner, '[' .. ARGV[6], '(' .. ARGV[6] .. '\127', 'LIMIT', 0, 64)) do
    local hash = string.match(row, ':([^:]*)$')
    if hash and call('EXISTS', P .. 'token:' .. hash) == 1 then
      found[#found + 1] = hash
    else -- over for more than a day
      forget_token(owner, hash or '', string.match(row, '^(.*):') or row)
    end
  end
  if #found > 1 then return refuse('TOKEN_AMBIGUOUS') end
  sha = found[1]
end
local row = sha and call('HMGET', P .. 'token:' .. sha, 'owner', 'prefix') or {}
if owner == '' or row[1] ~= owner then return refuse('TOKEN_NOT_FOUND') end
drop_token(owner, sha)
tell(owner, 'account ' .. owner)
return {'ok', owner, admin_flag(admin), row[2]}
