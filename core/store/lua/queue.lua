-- SPDX-License-Identifier: MIT
-- Behind work.lua, in front of the scripts that move jobs: records written, indexes, kinds, fairness, limits, leases, claim.
local MAX_LOSSES, HALF_LIFE = 3, 600000

local function tell_job(ulid, j) tell(j.owner, ulid .. ' ' .. j.owner .. ' ' .. num(j.rev) .. ' ' .. j.state) end
local function job_save(ulid, j, detail)
  if detail then
    j.detail = #detail
    if #detail > 0 then call('SETRANGE', job_key(ulid), HEAD + j.spec, detail) end
  end
  j.rev = j.rev + 1
  call('SETRANGE', job_key(ulid), 0, head_format(j))
  tell_job(ulid, j)
end
local function index(ulid, j)
  local s = num(score_of(j.state, j.kind, j.created))
  call('ZADD', P .. 'i:' .. j.owner, s, ulid)
  call('ZADD', P .. 'i', s, ulid)
end

local numbers = {} -- asked for in this call; `names` is the other way round
local function kind_number(name)
  if numbers[name] then return numbers[name] end
  local k = call('HGET', P .. 'kinds', name)
  if k then
    numbers[name] = tonumber(k)
    names[numbers[name]] = name
    return numbers[name]
  end
  if tonumber(call('HGET', P .. 'kinds', '#') or 0) >= 511 then return nil end
  k = call('HINCRBY', P .. 'kinds', '#', 1)
  call('HSET', P .. 'kinds', name, k, '#' .. k, name)
  return k
end

-- Virtual time: what an owner has used of a kind. "vt:<kind>": V, M (ms that jobs of this kind took lately),
-- and owner -> "<vt> <ms of that value> <mean cost> <charged for what runs>".
local function vt_read(kind, owner)
  local v = call('HMGET', P .. 'vt:' .. kind, 'V', owner, 'M')
  local vt, at, mean, open = string.match(v[2] or '', '^(%S+) (%S+) (%S+) ?(%S*)$')
  return tonumber(v[1] or 0), tonumber(vt or 0), tonumber(at or NOW), tonumber(mean or v[3] or 1000), tonumber(open or '') or 0, v[2]
end
local function vt_write(kind, owner, vt, mean, open)
  call('HSET', P .. 'vt:' .. kind, owner, string.format('%.3f %.0f %.0f %.0f', vt, NOW, mean, open))
end

local function wake(kind, ready) -- at most one token; a needless one costs a worker one empty claim. ready: somebody is, surely
  if (ready or call('EXISTS', P .. 'ready:' .. kind) == 1) and call('LLEN', P .. 'wake:' .. kind) == 0 then
    call('RPUSH', P .. 'wake:' .. kind, '1')
  end
end

-- Make an owner with queued jobs eligible.
local function owner_rearm(kind, owner)
  if call('EXISTS', P .. 'q:' .. kind .. ':' .. owner) == 1 then
    local V, vt, at, mean, open = vt_read(kind, owner)
    -- a clock that was set back must not let it grow: 2^144 for a day, for a week infinite, or no number at all
    vt = V + math.max(0, vt - V) * 2 ^ (-math.max(0, NOW - at) / HALF_LIFE)
    if call('ZADD', P .. 'ready:' .. kind, 'NX', string.format('%.3f', vt), owner) == 1 then
      vt_write(kind, owner, vt, mean, open)
    end
  end
  wake(kind)
end

-- An owner at the limit of running jobs is parked: not in `ready`, so that no claim looks at it again and again. Whatever
-- may have made room lets it back: the end of a lease, another limit, and now and then the reaper (the configuration's
-- limit may have changed). The next claim parks it again if it was too early.
local function park(kind, owner)
  call('SADD', P .. 'parked:' .. owner, kind)
  call('SADD', P .. 'parked', owner)
end
local function unpark(owner)
  local kinds = call('SMEMBERS', P .. 'parked:' .. owner) -- at most 511
  call('DEL', P .. 'parked:' .. owner)
  call('SREM', P .. 'parked', owner)
  for _, kind in ipairs(kinds) do owner_rearm(kind, owner) end
end
local function slot_free(kind, owner) -- a lease of this owner has ended
  if call('EXISTS', P .. 'parked:' .. owner) == 1 then unpark(owner) end
  wake(kind)
end
local function enqueue(ulid, j, kind)
  call('ZADD', P .. 'q:' .. kind .. ':' .. j.owner, num((9 - j.prio) * 2 ^ 43 + j.created), ulid)
  if call('ZSCORE', P .. 'ready:' .. kind, j.owner) then return wake(kind, true) end -- behind others of its owner
  if call('SISMEMBER', P .. 'parked:' .. j.owner, kind) == 0 then owner_rearm(kind, j.owner) end
end
-- Out of wherever a queued job waits.
local function dequeue(ulid, j)
  local kind = kind_name(j.kind)
  local key = P .. 'q:' .. kind .. ':' .. j.owner
  call('ZREM', P .. 'scheduled', ulid)
  if call('ZREM', key, ulid) == 1 and call('EXISTS', key) == 0 then call('ZREM', P .. 'ready:' .. kind, j.owner) end
  if j.expires > 0 then call('ZREM', P .. 'deadlines', ulid) end
end
-- Back among the queued ones as if the attempt had never been: its deadline counts again.
local function unbegin(ulid, j)
  if j.expires > 0 and j.attempt == 0 then call('ZADD', P .. 'deadlines', num(j.expires), ulid) end
end

-- An attempt has ended, for which `cost` was charged at its claim: the owner pays `ms` more, or gets back when negative.
local function charge(kind, owner, cost, ms, mean)
  local _, vt, _, old, open, known = vt_read(kind, owner)
  if not known then return end -- a deleted owner, and the reaper has been here
  local ready = call('ZSCORE', P .. 'ready:' .. kind, owner)
  if ready then
    vt = math.max(0, tonumber(ready) + ms)
    call('ZADD', P .. 'ready:' .. kind, 'XX', string.format('%.3f', vt), owner)
  else
    vt = math.max(0, vt + ms)
  end
  vt_write(kind, owner, vt, mean or old, math.max(0, open - cost))
end
local function charge_measured(kind, j) -- after an attempt: the seconds it really took
  local took = math.max(1, NOW - j.started) -- what costs nothing would come first for ever
  local _, _, _, mean = vt_read(kind, j.owner)
  charge(kind, j.owner, j.cost, took - j.cost, mean * 0.8 + took * 0.2)
  local all = tonumber(call('HGET', P .. 'vt:' .. kind, 'M') or took)
  call('HSET', P .. 'vt:' .. kind, 'M', num(all * 0.9 + took * 0.1))
end

-- The lease of an attempt: nil and STALE unless (fence, nonce) is the one that runs.
local function lease_check(ulid, fence, nonce)
  local j = job_load(ulid)
  if not j or j.state ~= PROCESSING or num(j.fence) ~= fence or j.nonce ~= nonce then return nil end
  return j
end
-- The record of a job that has ended, written anew: Redis keeps as much room again behind a string that was written into,
-- for as long as it lives, and this one lives for a month.
local function job_seal(ulid, j, detail)
  local kept = call('GETRANGE', job_key(ulid), HEAD, HEAD + j.spec + (detail and 0 or j.detail) - 1)
  if detail then j.detail = #detail end
  j.rev = j.rev + 1
  call('SET', job_key(ulid), head_format(j) .. kept .. (detail or ''))
  tell_job(ulid, j)
end
local function finish(ulid, j, state, detail) -- PROCESSING or QUEUED -> a final state
  j.state, j.ended = state, NOW
  if state == COMPLETED then j.progress = 10000 end
  job_seal(ulid, j, detail)
  index(ulid, j)
  call('ZADD', P .. 'ended', num(NOW), ulid)
  if j.files > 0 then
    call('INCRBY', P .. 'bytes', num(j.files))
    call('ZADD', P .. 'large', num(NOW), ulid)
  end
end
local EXPIRED = '{"error":{"code":"EXPIRED","message":"The job had not begun when its expires_at was over"}}'
local function expire(ulid, j)
  if call('HGET', P .. 'u:' .. j.owner, 'status') == 'deleted' then return finish(ulid, j, CANCELLED) end -- as it reads already
  finish(ulid, j, FAILED, EXPIRED)
end

-- A job that nobody sees any more, from this moment on. What is left of it waits in `purge` for a process that can remove
-- its files; the record goes last.
local function bury(ulid, j)
  call('RENAME', job_key(ulid), P .. 'gone:' .. ulid)
  call('ZREM', P .. 'i:' .. j.owner, ulid)
  call('ZREM', P .. 'i', ulid)
  call('ZREM', P .. 'ended', ulid)
  if j.files > 0 then
    call('DECRBY', P .. 'bytes', num(j.files))
    call('ZREM', P .. 'large', ulid)
  end
  call('ZADD', P .. 'purge', num(NOW), ulid)
  j.rev = j.rev + 1
  tell_job(ulid, j)
end

-- A new job. a: ULID, kind, priority, max attempts, run at ms (0 = at once), expires ms (0 = never), spec JSON; its kind has
-- its number already. Returns its head, or nil when that ULID is taken.
local JOB_ARGS = 7
local function add_job(a, at, owner, token)
  local ulid, kind, spec = a[at], a[at + 1], a[at + 6]
  local j = {
    state = QUEUED, prio = tonumber(a[at + 2]), kind = kind_number(kind), attempt = 0, max = tonumber(a[at + 3]), losses = 0,
    confirmed = 0, cancel = 0, progress = 0, rev = 1, fence = 0, nonce = string.rep('0', 16), created = NOW, started = 0,
    ended = 0, owner = owner, spec = #spec, detail = 0, cost = 0, token = token or 0, files = 0, expires = tonumber(a[at + 5]),
  }
  if not call('SET', job_key(ulid), head_format(j) .. spec, 'NX') then return nil end
  tell_job(ulid, j)
  index(ulid, j)
  if j.expires > 0 then call('ZADD', P .. 'deadlines', a[at + 5], ulid) end
  if tonumber(a[at + 4]) > NOW then
    call('ZADD', P .. 'scheduled', a[at + 4], ulid)
  else
    enqueue(ulid, j, kind)
  end
  return j
end
-- All the kinds of new jobs have numbers: nil when there are too many.
local function kinds_known(a, first, step)
  for at = first, #a, step do
    if not kind_number(a[at]) then return nil end
  end
  return true
end
local function owner_gone(owner)
  return owner ~= '-' and call('HGET', P .. 'u:' .. owner, 'status') == 'deleted'
end

-- What becomes of an owner that a claim has popped: run, park (at its limit, suspended) or gone (deleted).
local function owner_fate(owner, default)
  if owner == '-' then return 'run' end
  local u = call('HMGET', P .. 'u:' .. owner, 'status', 'max_concurrent_jobs')
  if u[1] == 'deleted' then return 'gone' end
  if u[1] and u[1] ~= 'active' then return 'park' end -- goes on when the account is active again
  local most = tonumber(u[2] or default)
  return most >= 0 and count(P .. 'i:' .. owner, PROCESSING) >= most and 'park' or 'run'
end

-- Take the best job of the first kind that has one. spec: worker id, nonce, lease ms, most running jobs of
-- an owner without a limit of their own, n, then n times kind, max_workers.
-- Pushes a token for every one of its kinds that still has ready work and a free slot: the token that woke this worker
-- may have been that of a kind behind the one it takes from.
local function claim(args, at)
  local worker, nonce, lease, kinds = args[at], args[at + 1], tonumber(args[at + 2]), tonumber(args[at + 4])
  lift()
  local last = call('HMGET', P .. 'worker:' .. worker, 'nonce', 'job')
  if last[1] == nonce and last[2] and last[2] ~= '' then -- the answer to this very request was lost
    local j = job_load(last[2])
    if j and j.state == PROCESSING and j.nonce == nonce then return last[2], j end
  end
  local got, got_j
  for i = 0, kinds - 1 do
    local kind, max = args[at + 5 + 2 * i], tonumber(args[at + 6 + 2 * i])
    local looked = not got or call('EXISTS', P .. 'ready:' .. kind) == 1
    local number = looked and tonumber(call('HGET', P .. 'kinds', kind) or -1) or -1
    local free = number >= 0 and (max < 0 or count(P .. 'i', PROCESSING, number) < max)
    local tries = 0
    while free and not got and tries < 32 do
      tries = tries + 1
      local top = call('ZPOPMIN', P .. 'ready:' .. kind)
      local owner, vt = top[1], tonumber(top[2])
      if not owner then break end
      local fate = owner_fate(owner, args[at + 3])
      if fate == 'park' then
        park(kind, owner)
      elseif fate == 'run' then
        local V, _, _, mean, open = vt_read(kind, owner)
        if open > 0 and count(P .. 'i:' .. owner, PROCESSING, number) == 0 then open = 0 end -- an end that nobody charged
        -- V is what was used: without the estimates for what runs, which may be far too high. Whoever comes now stands there.
        if vt - open > V then call('HSET', P .. 'vt:' .. kind, 'V', string.format('%.3f', vt - open)) end
        local ulid = call('ZPOPMIN', P .. 'q:' .. kind .. ':' .. owner)[1]
        local j = ulid and job_load(ulid)
        if j and j.state == QUEUED and j.expires > 0 and j.attempt == 0 then
          call('ZREM', P .. 'deadlines', ulid)
          if j.expires <= NOW then expire(ulid, j) end
        end
        if j and j.state == QUEUED then
          j.state, j.attempt, j.confirmed, j.cancel, j.progress = PROCESSING, j.attempt + 1, 0, 0, 0
          j.fence, j.nonce, j.started, j.cost = math.max(j.fence + 1, NOW), nonce, NOW, math.min(mean, 999999999)
          call('ZADD', P .. 'leases', num(NOW + lease), ulid)
          job_save(ulid, j, '')
          index(ulid, j)
          vt_write(kind, owner, vt + mean, mean, open + j.cost)
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

