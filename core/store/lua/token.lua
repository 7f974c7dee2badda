-- SPDX-License-Identifier: MIT
-- Behind work.lua, in front of the scripts that make and end tokens.
-- Of a user: "tokens" ("<hash>:<prefix>" by number), "logins" (hashes of those made by logins, by number, capped) and
-- "prefixes" ("<prefix>:<hash>", by text). A row that is over goes by itself; the three are tidied when somebody looks.
local function forget_token(owner, sha, prefix)
  call('DEL', P .. 'token:' .. sha)
  call('ZREM', P .. 'tokens:' .. owner, sha .. ':' .. prefix)
  call('ZREM', P .. 'logins:' .. owner, sha)
  call('ZREM', P .. 'prefixes:' .. owner, prefix .. ':' .. sha)
end
local function drop_token(owner, sha) -- one whose row is there
  local prefix = call('HGET', P .. 'token:' .. sha, 'prefix')
  if prefix then forget_token(owner, sha, prefix) end
end
local function token_member(member) return string.match(member, '^([^:]*):(.*)$') end
-- a, from at: sha, prefix, name, expires ms, number, scopes (0 = all), login cap (0 = not a login token).
local function put_token(owner, gen, a, at)
  local sha, number, cap = a[at], a[at + 4], tonumber(a[at + 6])
  local key = P .. 'token:' .. sha
  for _, old in ipairs(call('ZRANGE', P .. 'tokens:' .. owner, 0, 3)) do -- each new one may bury four that are over
    local old_sha, prefix = token_member(old)
    if old_sha and call('EXISTS', P .. 'token:' .. old_sha) == 0 then forget_token(owner, old_sha, prefix) end
  end
  call('HSET', key, 'owner', owner, 'prefix', a[at + 1], 'name', a[at + 2], 'expires', a[at + 3], 'number', number,
    'created', num(NOW), 'gen', gen)
  if a[at + 5] ~= '0' then call('HSET', key, 'scopes', a[at + 5]) end
  if tonumber(a[at + 3]) > 0 then call('PEXPIREAT', key, num(tonumber(a[at + 3]) + 86400000)) end
  call('ZADD', P .. 'tokens:' .. owner, number, sha .. ':' .. a[at + 1])
  call('ZADD', P .. 'prefixes:' .. owner, 0, a[at + 1] .. ':' .. sha)
  if cap == 0 then return end
  call('ZADD', P .. 'logins:' .. owner, number, sha)
  local over = call('ZCARD', P .. 'logins:' .. owner) - cap
  for _, old in ipairs(over > 0 and call('ZRANGE', P .. 'logins:' .. owner, 0, math.min(over, 64) - 1) or {}) do
    drop_token(owner, old)
    call('ZREM', P .. 'logins:' .. owner, old)
    tell(owner, 'account ' .. owner) -- who watches with it may no longer
  end
end
-- All tokens of a user but one are over: the rows go to the reaper, nothing reads them any more (their generation is old).
local function bury_tokens(owner, gen, keep)
  local kept = keep ~= '' and call('HMGET', P .. 'token:' .. keep, 'owner', 'number', 'prefix') or {}
  local login = keep ~= '' and call('ZSCORE', P .. 'logins:' .. owner, keep)
  if call('EXISTS', P .. 'tokens:' .. owner) == 1 then
    call('RENAME', P .. 'tokens:' .. owner, P .. 'grave:' .. owner .. ':' .. gen)
    call('SADD', P .. 'graves', owner .. ':' .. gen)
  end
  call('UNLINK', P .. 'logins:' .. owner, P .. 'prefixes:' .. owner)
  if kept[1] ~= owner then return end
  call('HSET', P .. 'token:' .. keep, 'gen', gen)
  call('ZADD', P .. 'tokens:' .. owner, kept[2], keep .. ':' .. kept[3])
  call('ZADD', P .. 'prefixes:' .. owner, 0, kept[3] .. ':' .. keep)
  if login then call('ZADD', P .. 'logins:' .. owner, kept[2], keep) end
end
