-- SPDX-License-Identifier: MIT
-- In front of every script, and before the prelude of its family (directory.lua or work.lua, by scripts.def). KEYS[1] is
-- the prefix of the family that the script works on: "p3d:{a}:" (directory) or "p3d:{0}:" (work); all other keys are
-- made from it, so they share its hash tag. docs/redis-schema.md has the list.
-- Every script returns an array: "ok", … or the symbol of an error (include/p3d/err.def), ….
local P = KEYS[1]
local call = redis.call
local TIME = call('TIME')
local NOW = tonumber(TIME[1]) * 1000 + math.floor(tonumber(TIME[2]) / 1000) -- ms; Redis is the only clock

-- Full memory refuses only the first write of a script: what finishes, renews or cleans begins with this one.
local function lift() call('DEL', P .. 'nothing') end
local function num(x) return string.format('%.0f', x) end

-- An account as scripts hand it on, the same from both families: 12 elements, the id and these ('' = absent).
local USER = {'number', 'username', 'email', 'role', 'status', 'created', 'last_login', 'max_concurrent_jobs',
  'max_queued_jobs', 'gen', 'ver'}
local function user_row(out, id, key)
  local u = call('HMGET', key, unpack(USER))
  out[#out + 1] = id
  for i = 1, #USER do out[#out + 1] = u[i] or '' end
  return out
end
