-- SPDX-License-Identifier: MIT
-- One bounded round of housekeeping; any process may call it once a second, one gets through.
-- KEYS[1] -> work prefix
-- ARGV[1] -> lease ms   ARGV[2..4] -> what is kept of finished jobs: ms of age, jobs, bytes; -1 = any
-- ARGV[5] -> most deleted jobs that the caller has room for, 0..64; left out: 64
-- Output: ok, items done (64 = more may wait), then ULIDs of deleted jobs whose files are to be removed now
-- States: processing -> queued (worker lost) | failed (the third loss) | cancelled (owner deleted); queued -> cancelled
-- (owner deleted) | failed (its deadline is over); final -> gone
-- (retention). After a gap in the rounds (Redis was away) leases get one lease time of grace. When the clock was set back,
-- leases and retries end as long from now as they would have ended from then: nothing waits for the old time to come again.
lift()
local BACKLOG = 1000
-- Not a key that expires: one whose end lies behind a clock that was set back would stop all rounds until then.
local gate = tonumber(call('GET', P .. 'reap') or 0)
if gate > NOW and gate <= NOW + 900 then return {'ok', 0} end
call('SET', P .. 'reap', num(NOW + 900))
local state = call('HMGET', P .. 'reaper', 'last', 'grace')
local back = tonumber(state[1] or 0) - NOW -- ms that the clock was set back; a second is no reason to do anything
if back > 1000 then
  for _, ulid in ipairs(call('ZRANGEBYSCORE', P .. 'purge', '(' .. num(NOW + 60000), '+inf', 'LIMIT', 0, 1024)) do
    call('ZADD', P .. 'purge', num(NOW + 60000), ulid)
  end
  call('ZREMRANGEBYSCORE', P .. 'workers', '(' .. num(NOW), '+inf') -- those who live come again
  local most = NOW + tonumber(ARGV[1])
  for _, ulid in ipairs(call('ZRANGEBYSCORE', P .. 'leases', '(' .. num(most), '+inf', 'LIMIT', 0, 1024)) do
    call('ZADD', P .. 'leases', num(most), ulid) -- renewed meanwhile or not: a whole one is never too short
  end
  local waiting = call('ZRANGEBYSCORE', P .. 'scheduled', num(NOW + back), '+inf', 'WITHSCORES', 'LIMIT', 0, 1024)
  for i = 1, #waiting, 2 do
    local j = job_load(waiting[i])
    if j and j.attempt > 0 then -- a run_at stays what it is: a time of day
      call('ZADD', P .. 'scheduled', num(tonumber(waiting[i + 1]) - back), waiting[i])
    end
  end
end
local grace = math.min(tonumber(state[2] or 0), NOW + tonumber(ARGV[1])) -- the clock may have been set back
if NOW - tonumber(state[1] or 0) > 5000 then grace = NOW + tonumber(ARGV[1]) end
call('HSET', P .. 'reaper', 'last', num(NOW), 'grace', num(grace))
call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', num(NOW - 60000)) -- ids of processes that are no more
local done = 0

local function lost(ulid, j)
  local kind = kind_name(j.kind)
  if j.cancel == 1 or owner_gone(j.owner) then
    finish(ulid, j, CANCELLED)
    return slot_free(kind, j.owner)
  end
  if j.confirmed == 1 then
    j.losses = j.losses + 1
    charge_measured(kind, j)
  else -- nothing shows that it ever began: free of charge
    j.attempt = j.attempt - 1
    charge(kind, j.owner, j.cost, -j.cost)
  end
  if j.losses >= MAX_LOSSES then
    finish(ulid, j, FAILED, '{"error":{"code":"WORKER_LOST","message":"The worker was lost ' .. MAX_LOSSES .. ' times while it ran this job"}}')
  else
    j.state, j.progress = QUEUED, 0
    job_save(ulid, j, '')
    index(ulid, j)
    enqueue(ulid, j, kind)
    unbegin(ulid, j)
  end
  slot_free(kind, j.owner)
end
if NOW >= grace then
  for _, ulid in ipairs(call('ZRANGEBYSCORE', P .. 'leases', '-inf', num(NOW), 'LIMIT', 0, 64)) do
    call('ZREM', P .. 'leases', ulid)
    local j = job_load(ulid)
    if j and j.state == PROCESSING then lost(ulid, j) end
    done = done + 1
  end
end
for _, ulid in ipairs(call('ZRANGEBYSCORE', P .. 'scheduled', '-inf', num(NOW), 'LIMIT', 0, 64 - done)) do
  call('ZREM', P .. 'scheduled', ulid)
  local j = job_load(ulid)
  if j and j.state == QUEUED then enqueue(ulid, j, kind_name(j.kind)) end
  done = done + 1
end
for _, ulid in ipairs(call('ZRANGEBYSCORE', P .. 'deadlines', '-inf', num(NOW), 'LIMIT', 0, math.max(0, 64 - done))) do
  call('ZREM', P .. 'deadlines', ulid)
  local j = job_load(ulid)
  if j and j.state == QUEUED and j.attempt == 0 then
    dequeue(ulid, j)
    expire(ulid, j)
  end
  done = done + 1
end
for _, owner in ipairs(call('SRANDMEMBER', P .. 'parked', 16)) do unpark(owner) end -- a limit may be another one by now
local grave = call('SRANDMEMBER', P .. 'graves') -- rows of tokens that a new generation has ended
if grave and done < 64 then
  local owner = string.match(grave, '^(.*):')
  local gen = tonumber(call('HGET', P .. 'u:' .. owner, 'gen') or math.huge) -- no account any more: none is good
  local rows = call('ZRANGE', P .. 'grave:' .. grave, 0, 63 - done)
  for _, member in ipairs(rows) do
    local sha = token_member(member)
    local t = call('HMGET', P .. 'token:' .. sha, 'owner', 'gen')
    if t[1] == owner and tonumber(t[2] or 0) < gen then call('DEL', P .. 'token:' .. sha) end
    call('ZREM', P .. 'grave:' .. grave, member)
    done = done + 1
  end
  if #rows == 0 then call('SREM', P .. 'graves', grave) end
end
local owner = call('SRANDMEMBER', P .. 'tombs')
if owner and done < 64 then
  local before = done
  local last = num(512 * SPAN - 1)
  for _, ulid in ipairs(call('ZRANGEBYSCORE', P .. 'i:' .. owner, 0, last, 'LIMIT', 0, 64 - done)) do
    local j = job_load(ulid)
    if j and j.state == QUEUED then
      local kind = kind_name(j.kind)
      dequeue(ulid, j)
      call('HDEL', P .. 'vt:' .. kind, owner)
      finish(ulid, j, CANCELLED)
    else
      call('ZREM', P .. 'i:' .. owner, ulid)
    end
    done = done + 1
  end
  for _, member in ipairs(call('ZRANGE', P .. 'tokens:' .. owner, 0, 63)) do
    forget_token(owner, token_member(member))
    done = done + 1
  end
  if done == before then
    call('UNLINK', P .. 'logins:' .. owner, P .. 'prefixes:' .. owner, P .. 'parked:' .. owner)
    call('SREM', P .. 'parked', owner)
    for _, kind in ipairs(call('HKEYS', P .. 'kinds')) do call('HDEL', P .. 'vt:' .. kind, owner) end -- at most 1023
    call('SREM', P .. 'tombs', owner)
  end
end
-- Retention: the oldest end goes first, until all three are kept. For bytes only what has files, and never the newest.
local age, most, bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local function drop_oldest(key)
  local ulid = call('ZRANGE', P .. key, 0, 0)[1]
  local j = job_load(ulid)
  if j then bury(ulid, j) else call('ZREM', P .. key, ulid) end
  done = done + 1
end
local behind = call('ZCARD', P .. 'purge') > BACKLOG -- what cannot be removed so fast is not deleted so fast
while done < 64 and not behind do
  local oldest = call('ZRANGE', P .. 'ended', 0, 0, 'WITHSCORES')
  local over = oldest[1] and ((age >= 0 and tonumber(oldest[2]) <= NOW - age) or (most >= 0 and call('ZCARD', P .. 'ended') > most))
  if not over then break end
  drop_oldest('ended')
end
while done < 64 and not behind and bytes >= 0 and tonumber(call('GET', P .. 'bytes') or 0) > bytes and call('ZCARD', P .. 'large') > 1 do
  drop_oldest('large')
end
local out = {'ok', 0}
local room = tonumber(ARGV[5] or 64)
for _, ulid in ipairs(room > 0 and call('ZRANGEBYSCORE', P .. 'purge', '-inf', num(NOW), 'LIMIT', 0, room) or {}) do
  call('ZADD', P .. 'purge', num(NOW + 60000), ulid) -- whoever gets it has a minute
  out[#out + 1] = ulid
end
if room > 0 and #out == 2 + room then done = 64 end -- there may be more: as fast as disks are, and no faster
if done >= 64 then call('DEL', P .. 'reap') end -- full: the next round need not wait
out[2] = math.min(done, 64)
return out
