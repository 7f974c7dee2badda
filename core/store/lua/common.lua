-- SPDX-License-Identifier: MIT
-- In front of every script. KEYS[1] is the prefix of the family that the script works on: "p3d:{0}:" (work) or
-- "p3d:{a}:" (directory); all other keys are made from it, so they share its hash tag. docs/redis-schema.md has the list.
-- Every script returns an array: "ok", … or the symbol of an error (include/p3d/err.def), ….
local P = KEYS[1]
local call = redis.call
local TIME = call('TIME')
local NOW = tonumber(TIME[1]) * 1000 + math.floor(tonumber(TIME[2]) / 1000) -- ms; Redis is the only clock
local EPOCH, SPAN = 1577836800000, 2 ^ 41 -- of index scores
local QUEUED, PROCESSING, COMPLETED, FAILED, CANCELLED = 0, 1, 2, 3, 4
local MAX_LOSSES, HALF_LIFE = 3, 600000

-- Full memory refuses only the first write of a script: what finishes, renews or cleans begins with this one.
local function lift() call('DEL', P .. 'nothing') end
local function num(x) return string.format('%.0f', x) end

-- The record of a job: a head of fixed width, the spec, the detail (what is behind detail_len is residue).
local HEAD = 154
local function job_key(ulid) return P .. 'job:' .. ulid end
local function n(s, a, b) return tonumber(string.sub(s, a, b)) end
local function head_parse(s)
  if #s < HEAD or string.sub(s, 1, 1) ~= '1' then return nil end
  return {
    state = n(s, 2, 2), prio = n(s, 3, 3), kind = n(s, 4, 6), attempt = n(s, 7, 9), max = n(s, 10, 12),
    losses = n(s, 13, 15), confirmed = n(s, 16, 16), cancel = n(s, 17, 17), progress = n(s, 18, 22),
    rev = n(s, 23, 32), fence = n(s, 33, 47), nonce = string.sub(s, 48, 63), created = n(s, 64, 78),
    started = n(s, 79, 93), ended = n(s, 94, 108), owner = string.match(string.sub(s, 109, 129), '^%S+'),
    spec = n(s, 130, 137), detail = n(s, 138, 145), cost = n(s, 146, 154),
  }
end
local function head_format(j)
  return string.format('1%d%d%03d%03d%03d%03d%d%d%05d%010.0f%015.0f%s%015.0f%015.0f%015.0f%-21s%08d%08d%09.0f',
    j.state, j.prio, j.kind, j.attempt, j.max, j.losses, j.confirmed, j.cancel, j.progress, j.rev, j.fence, j.nonce,
    j.created, j.started, j.ended, j.owner, j.spec, j.detail, j.cost)
end
local function job_load(ulid) return head_parse(call('GETRANGE', job_key(ulid), 0, HEAD - 1)) end
local function job_save(ulid, j, detail)
  if detail then
    j.detail = #detail
    if #detail > 0 then call('SETRANGE', job_key(ulid), HEAD + j.spec, detail) end
  end
  j.rev = j.rev + 1
  call('SETRANGE', job_key(ulid), 0, head_format(j))
end
local function job_answer(ulid, j) -- record without residue
  return call('GETRANGE', job_key(ulid), 0, HEAD + j.spec + j.detail - 1)
end

-- History indexes: one ZADD per scope and transition; every count is a ZCOUNT of a score range, so none can drift.
local function score_of(state, kind, created)
  return (state * 512 + kind) * SPAN + math.max(0, math.min(created - EPOCH, SPAN - 1))
end
local function index(ulid, j)
  local s = num(score_of(j.state, j.kind, j.created))
  call('ZADD', P .. 'i:' .. j.owner, s, ulid)
  call('ZADD', P .. 'i', s, ulid)
end
local function count(key, state, kind) -- kind nil: of all kinds
  local lo, hi = (state * 512 + (kind or 0)) * SPAN, (state * 512 + (kind or 511) + 1) * SPAN - 1
  return call('ZCOUNT', key, num(lo), num(hi))
end

-- Kinds ("feature/model") have a small number for the index scores, given once, never reused.
local function kind_number(name)
  local k = call('HGET', P .. 'kinds', name)
  if k then return tonumber(k) end
  k = call('HINCRBY', P .. 'kinds', '#', 1)
  if k > 511 then return nil end
  call('HSET', P .. 'kinds', name, k, '#' .. k, name)
  return k
end
local function kind_name(k) return call('HGET', P .. 'kinds', '#' .. k) end

-- Virtual time: what an owner has used of a kind. "vt:<kind>": V, and owner -> "<vt> <ms of that value> <mean cost>".
local function vt_read(kind, owner)
  local v = call('HMGET', P .. 'vt:' .. kind, 'V', owner)
  local vt, at, mean = string.match(v[2] or '', '^(%S+) (%S+) (%S+)$')
  return tonumber(v[1] or 0), tonumber(vt or 0), tonumber(at or NOW), tonumber(mean or 1000)
end
local function vt_write(kind, owner, vt, mean)
  call('HSET', P .. 'vt:' .. kind, owner, string.format('%.3f %.0f %.0f', vt, NOW, mean))
end

local function wake(kind) -- at most one token; a needless one costs a worker one empty claim
  if call('EXISTS', P .. 'ready:' .. kind) == 1 and call('LLEN', P .. 'wake:' .. kind) == 0 then
    call('RPUSH', P .. 'wake:' .. kind, '1')
  end
end

-- Make an owner with queued jobs eligible. Also the place where limits will park owners.
local function owner_rearm(kind, owner)
  if call('EXISTS', P .. 'q:' .. kind .. ':' .. owner) == 1 then
    local V, vt, at, mean = vt_read(kind, owner)
    -- a clock that was set back must not let it grow: 2^144 for a day, for a week infinite, or no number at all
    vt = V + math.max(0, vt - V) * 2 ^ (-math.max(0, NOW - at) / HALF_LIFE)
    if call('ZADD', P .. 'ready:' .. kind, 'NX', string.format('%.3f', vt), owner) == 1 then
      vt_write(kind, owner, vt, mean)
    end
  end
  wake(kind)
end
local function enqueue(ulid, j, kind)
  call('ZADD', P .. 'q:' .. kind .. ':' .. j.owner, num((9 - j.prio) * 2 ^ 43 + j.created), ulid)
  owner_rearm(kind, j.owner)
end
-- The owner pays `ms` more (or gets back, when negative) than what was charged at the claim.
local function charge(kind, owner, ms, mean)
  local _, vt, _, old = vt_read(kind, owner)
  local ready = call('ZSCORE', P .. 'ready:' .. kind, owner)
  if ready then
    vt = math.max(0, tonumber(ready) + ms)
    call('ZADD', P .. 'ready:' .. kind, 'XX', string.format('%.3f', vt), owner)
  else
    vt = math.max(0, vt + ms)
  end
  vt_write(kind, owner, vt, mean or old)
end
local function charge_measured(kind, j) -- after an attempt: the seconds it really took
  local took = math.max(0, NOW - j.started)
  local _, _, _, mean = vt_read(kind, j.owner)
  charge(kind, j.owner, took - j.cost, mean * 0.8 + took * 0.2)
end

-- The lease of an attempt: nil and STALE unless (fence, nonce) is the one that runs.
local function lease_check(ulid, fence, nonce)
  local j = job_load(ulid)
  if not j or j.state ~= PROCESSING or num(j.fence) ~= fence or j.nonce ~= nonce then return nil end
  return j
end
local function finish(ulid, j, state, detail) -- PROCESSING or QUEUED -> a final state
  j.state, j.ended = state, NOW
  if state == COMPLETED then j.progress = 10000 end
  job_save(ulid, j, detail)
  index(ulid, j)
end
local function owner_gone(owner)
  return owner ~= '-' and call('HGET', P .. 'u:' .. owner, 'status') == 'deleted'
end

-- What a client sees: the record, and the place in the queue (0 = none). A queued job of a deleted account reads as
-- cancelled until the reaper has come by.
local function job_seen(ulid, j)
  local record = job_answer(ulid, j)
  if j.state ~= QUEUED then return record, 0 end
  local u = j.owner ~= '-' and call('HMGET', P .. 'u:' .. j.owner, 'status', 'deleted') or {}
  if u[1] == 'deleted' then
    j.state, j.ended = CANCELLED, tonumber(u[2] or NOW)
    return head_format(j) .. string.sub(record, HEAD + 1), 0
  end
  local rank = call('ZRANK', P .. 'q:' .. kind_name(j.kind) .. ':' .. j.owner, ulid)
  return record, rank and rank + 1 or 0
end

-- Take the best job of the first kind that has one. spec: worker id, nonce, lease ms, n, then n times kind, max_workers.
-- Pushes a token for every one of its kinds that still has ready work and a free slot: the token that woke this worker
-- may have been that of a kind behind the one it takes from.
local function claim(args, at)
  local worker, nonce, lease, kinds = args[at], args[at + 1], tonumber(args[at + 2]), tonumber(args[at + 3])
  lift()
  local last = call('HMGET', P .. 'worker:' .. worker, 'nonce', 'job')
  if last[1] == nonce and last[2] and last[2] ~= '' then -- the answer to this very request was lost
    local j = job_load(last[2])
    if j and j.state == PROCESSING and j.nonce == nonce then return last[2], j end
  end
  local got, got_j
  for i = 0, kinds - 1 do
    local kind, max = args[at + 4 + 2 * i], tonumber(args[at + 5 + 2 * i])
    local looked = not got or call('EXISTS', P .. 'ready:' .. kind) == 1
    local number = looked and tonumber(call('HGET', P .. 'kinds', kind) or -1) or -1
    local free = number >= 0 and (max < 0 or count(P .. 'i', PROCESSING, number) < max)
    local tries = 0
    while free and not got and tries < 32 do
      tries = tries + 1
      local top = call('ZPOPMIN', P .. 'ready:' .. kind)
      local owner, vt = top[1], tonumber(top[2])
      if not owner then break end
      if not owner_gone(owner) then
        local V, _, _, mean = vt_read(kind, owner)
        if vt > V then call('HSET', P .. 'vt:' .. kind, 'V', string.format('%.3f', vt)) end
        local ulid = call('ZPOPMIN', P .. 'q:' .. kind .. ':' .. owner)[1]
        local j = ulid and job_load(ulid)
        if j and j.state == QUEUED then
          j.state, j.attempt, j.confirmed, j.cancel, j.progress = PROCESSING, j.attempt + 1, 0, 0, 0
          j.fence, j.nonce, j.started, j.cost = math.max(j.fence + 1, NOW), nonce, NOW, math.min(mean, 999999999)
          call('ZADD', P .. 'leases', num(NOW + lease), ulid)
          job_save(ulid, j, '')
          index(ulid, j)
          vt_write(kind, owner, vt + mean, mean)
          got, got_j = ulid, j
          vt = vt + mean
        end
        if call('EXISTS', P .. 'q:' .. kind .. ':' .. owner) == 1 then
          call('ZADD', P .. 'ready:' .. kind, string.format('%.3f', vt), owner)
        end
      end
    end
    if number >= 0 and (max < 0 or count(P .. 'i', PROCESSING, number) < max) then wake(kind) end
  end
  call('HSET', P .. 'worker:' .. worker, 'nonce', nonce, 'job', got or '')
  call('PEXPIRE', P .. 'worker:' .. worker, 600000)
  if got then
    call('ZREM', P .. 'workers', worker) -- counted by its lease now
  else
    call('ZADD', P .. 'workers', num(NOW), worker)
  end
  return got, got_j
end

-- Who asks: ARGV[1] o = open, t = token, s = system; ARGV[2] token hash; ARGV[3] scope bit; ARGV[4] 1 = admins only.
-- Returns owner ('' = none), sees-everything; or nil and the symbol of the refusal.
local function access()
  if ARGV[1] ~= 't' then return '', true end
  local key = P .. 'token:' .. ARGV[2]
  local tk = call('HMGET', key, 'owner', 'expires', 'scopes', 'used')
  if not tk[1] then return nil, 'TOKEN_INVALID' end
  local expires = tonumber(tk[2] or 0)
  if expires > 0 and expires <= NOW then return nil, 'TOKEN_EXPIRED' end
  local u = call('HMGET', P .. 'u:' .. tk[1], 'status', 'role')
  if not u[1] or u[1] == 'deleted' then return nil, 'TOKEN_INVALID' end
  if u[1] ~= 'active' then return nil, 'USER_DISABLED' end
  local admin = u[2] == 'admin'
  if ARGV[4] == '1' and not admin then return nil, 'ADMIN_REQUIRED' end
  local need = tonumber(ARGV[3])
  if need > 0 and bit.band(tonumber(tk[3] or 63), need) == 0 then return nil, 'SCOPE_MISSING' end
  if NOW - tonumber(tk[4] or 0) > 60000 then redis.pcall('HSET', key, 'used', num(NOW)) end
  return tk[1], admin
end
local function admin_flag(admin) return admin and '1' or '0' end

-- Store a token. a: sha, prefix, name, expires ms, number, scopes ('' = all), login (1 = a login token), login cap.
local function put_token(owner, a, at)
  local sha = a[at]
  call('HSET', P .. 'token:' .. sha, 'owner', owner, 'prefix', a[at + 1], 'name', a[at + 2], 'expires', a[at + 3],
    'number', a[at + 4], 'created', num(NOW))
  if a[at + 5] ~= '' then call('HSET', P .. 'token:' .. sha, 'scopes', a[at + 5]) end
  if tonumber(a[at + 3]) > 0 then call('PEXPIREAT', P .. 'token:' .. sha, num(tonumber(a[at + 3]) + 86400000)) end
  call('ZADD', P .. 'tokens:' .. owner, num(NOW), sha)
  if a[at + 6] ~= '1' then return end
  call('ZADD', P .. 'logins:' .. owner, a[at + 4], sha) -- by number: two may share a millisecond
  local over = call('ZCARD', P .. 'logins:' .. owner) - tonumber(a[at + 7])
  for _ = 1, math.min(over, 64) do
    local old = call('ZPOPMIN', P .. 'logins:' .. owner)[1]
    call('DEL', P .. 'token:' .. old)
    call('ZREM', P .. 'tokens:' .. owner, old)
  end
end
