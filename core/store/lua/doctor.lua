-- SPDX-License-Identifier: MIT
-- Behind queue.lua, in front of the scripts of `p3d doctor`: every invariant of docs/redis-schema.md as a
-- check, each with its repair. A check and its repair see one moment: while servers and workers go on, nothing is wrong
-- that only looks so. From a job to its places is check_job, from the places to the jobs are the members of WALK.
-- ARGV[1] -> 1 = repair   ARGV[2] -> lease ms
-- A repair loses no job and lets none run twice; what cannot be read is reported and left as it is.
local REPAIR, LEASE = ARGV[1] == '1', tonumber(ARGV[2])
local PAGE, INLINE = 64, 256 -- keys of one call; members that are looked at with their key, in all
local STATES = {[0] = 'queued', 'processing', 'completed', 'failed', 'cancelled'}
local found, walks, jobs, room = {}, {}, 0, INLINE

-- what: a row of doctor.def. mend: nil = beyond repair.
local function problem(what, where, detail, mend)
  local mended = REPAIR and mend ~= nil
  if mended then mend() end
  for _, text in ipairs({what, where, detail, mended and '1' or '0'}) do found[#found + 1] = text end
end
-- What raises an error (a key of another type) must not end the walk.
local function guard(where, check, ...)
  local good, why = pcall(check, ...)
  if good then return end
  local text = type(why) == 'table' and why.err or tostring(why)
  local other = string.find(text, 'WRONGTYPE', 1, true)
  problem('unchecked', where, other and 'a key has another type' or string.sub(text, 1, 100))
end
local function answer(cursor, keys)
  local out = {'ok', cursor, keys, jobs, #walks}
  for _, key in ipairs(walks) do out[#out + 1] = key end
  for _, text in ipairs(found) do out[#out + 1] = text end
  return out
end

-- ---- a job and its places

local function readable(ulid, s) -- by runs of digits: one pattern for all of it takes ten times as long
  local function digits(a, b) return string.find(string.sub(s, a, b), '^%d+$') end
  local owner = string.sub(s, 109, 129)
  return #s == HEAD and digits(1, 47) and string.find(s, '^3[0-4]') and digits(64, 108) and digits(130, 194)
    and string.find(string.sub(s, 48, 63), '^%x+$') and (string.find(owner, '^user_%x+$') or string.find(owner, '^%- +$'))
    and #ulid == 26 and string.find(ulid, '^[0-7][0-9A-HJKMNP-TV-Z]+$')
end
local function record_of(ulid)
  local s = call('GETRANGE', job_key(ulid), 0, HEAD - 1)
  local j = readable(ulid, s) and head_parse(s)
  return j and call('STRLEN', job_key(ulid)) >= HEAD + j.spec + j.detail and j or nil
end
local names = {}
local function name_of(number)
  names[number] = names[number] or kind_name(number) or nil
  return names[number]
end
local function unqueue(kind, owner, ulid) -- out of its queue, and nowhere else
  local key = P .. 'q:' .. kind .. ':' .. owner
  call('ZREM', key, ulid)
  if call('EXISTS', key) == 0 then call('ZREM', P .. 'ready:' .. kind, owner) end
end

local function check_index(ulid, j, where)
  local score = score_of(j.state, j.kind, j.created)
  for _, key in ipairs({'i', 'i:' .. j.owner}) do
    local is = call('ZSCORE', P .. key, ulid)
    if not is then
      problem('index_missing', where, key, function() call('ZADD', P .. key, num(score), ulid) end)
    elseif tonumber(is) ~= score then
      problem('index_wrong', where, key, function() call('ZADD', P .. key, num(score), ulid) end)
    end
  end
end
local function check_queued(ulid, j, where, kind, queued, due)
  local score = (9 - j.prio) * 2 ^ 43 + j.created
  if queued and due then -- not before it is due
    problem('twice', where, 'scheduled', function()
      if tonumber(due) <= NOW then call('ZREM', P .. 'scheduled', ulid) else unqueue(kind, j.owner, ulid) end
    end)
  elseif not queued and not due then
    problem('nowhere', where, '', function() enqueue(ulid, j, kind) end)
  elseif queued and tonumber(queued) ~= score then
    problem('order', where, '', function() call('ZADD', P .. 'q:' .. kind .. ':' .. j.owner, num(score), ulid) end)
  end
end
-- In a set exactly when it should be; score: nil = any, when: of the repair.
local function check_set(key, ulid, where, state, should, score, when)
  local is = call('ZSCORE', P .. key, ulid)
  if is and not should then
    problem('stray', where, state .. ', in ' .. key, function() call('ZREM', P .. key, ulid) end)
  elseif should and not is then
    problem(key .. '_missing', where, '', function() call('ZADD', P .. key, num(score or when), ulid) end)
  elseif should and score and tonumber(is) ~= score then
    problem(key .. '_wrong', where, '', function() call('ZADD', P .. key, num(score), ulid) end)
  end
end
local function check_job(ulid)
  local where = 'job_0' .. ulid
  jobs = jobs + 1
  local j = record_of(ulid)
  if not j then return problem('record', where, '') end
  local kind = name_of(j.kind)
  if not kind then return problem('kind', where, num(j.kind)) end
  local state, final = STATES[j.state], j.state >= COMPLETED
  local queued, due = call('ZSCORE', P .. 'q:' .. kind .. ':' .. j.owner, ulid), call('ZSCORE', P .. 'scheduled', ulid)
  check_index(ulid, j, where)
  -- a lease that is over at once would be as good, but the worker may only be slow
  check_set('leases', ulid, where, state, j.state == PROCESSING, nil, NOW + LEASE)
  if j.state == QUEUED then
    check_queued(ulid, j, where, kind, queued, due)
  else
    if queued then problem('stray', where, state .. ', in its queue', function() unqueue(kind, j.owner, ulid) end) end
    if due then problem('stray', where, state .. ', in scheduled', function() call('ZREM', P .. 'scheduled', ulid) end) end
  end
  -- its time among the finished ones begins anew: retention must not find it a year old
  check_set('ended', ulid, where, state, final, nil, NOW)
  check_set('large', ulid, where, state, final and j.files > 0, nil, NOW)
  check_set('deadlines', ulid, where, state, j.state == QUEUED and j.expires > 0 and j.attempt == 0, j.expires)
end

-- ---- places and their jobs, owners and kinds

local function remove(key, member) return function() call('ZREM', P .. key, member) end end
local function of_jobs(key)
  return function(ulid)
    if call('EXISTS', job_key(ulid)) == 0 then problem('nothing', key, ulid, remove(key, ulid)) end
  end
end
local function of_owner(key, owner, kind) -- number of the kind, or nil
  local name = kind and name_of(kind)
  local function out(ulid) return name and function() unqueue(name, owner, ulid) end or remove(key, ulid) end
  local like = string.format('%-21s', owner)
  return function(ulid)
    local s = call('GETRANGE', job_key(ulid), 3, 128)
    if s == '' then return problem('nothing', key, ulid, out(ulid)) end
    if string.sub(s, 106) == like and (not kind or n(s, 1, 3) == kind) then return end
    if readable(ulid, call('GETRANGE', job_key(ulid), 0, HEAD - 1)) then problem('other', key, ulid, out(ulid)) end
  end
end
local function of_queue(key, rest)
  local kind, owner = string.match(rest, '^(.*):([^:]+)$')
  return of_owner(key, owner, tonumber(call('HGET', P .. 'kinds', kind)))
end
local function of_ready(key, kind)
  return function(owner)
    if call('EXISTS', P .. 'q:' .. kind .. ':' .. owner) == 0 then problem('ready_empty', key, owner, remove(key, owner)) end
  end
end
-- Files of a job that is there must not be removed; those of one that is not must.
local function of_purge(key)
  return function(ulid)
    if call('EXISTS', P .. 'gone:' .. ulid) == 1 then return end
    if call('EXISTS', job_key(ulid)) == 1 then
      problem('purge_alive', 'job_0' .. ulid, '', remove(key, ulid))
    else
      problem('purge_nothing', key, ulid, function() call('SET', P .. 'gone:' .. ulid, '') end)
    end
  end
end
local function of_tombs(key)
  return function(owner)
    if not owner_gone(owner) then problem('tomb_alive', key, owner, function() call('SREM', P .. key, owner) end) end
  end
end
-- What is looked at member by member: how it is paged, how it is counted, and the check of a member.
local SETS = {zset = {'ZSCAN', 'ZCARD', 2}, set = {'SSCAN', 'SCARD', 1}}
local WALK = {
  i = {'zset', function(key, rest) return rest == '' and of_jobs(key) or of_owner(key, rest) end},
  q = {'zset', of_queue}, ready = {'zset', of_ready}, leases = {'zset', of_jobs}, scheduled = {'zset', of_jobs},
  ended = {'zset', of_jobs}, large = {'zset', of_jobs}, deadlines = {'zset', of_jobs}, purge = {'zset', of_purge},
  tombs = {'set', of_tombs},
}
local function split(key) return string.match(key, '^([^:]*):?(.*)$') end
local function members(key, cursor, most) -- returns the next cursor
  local head, rest = split(key)
  local how = SETS[WALK[head][1]]
  local check = WALK[head][2](key, rest)
  local page = call(how[1], P .. key, cursor, 'COUNT', most)
  for n = 1, #page[2], how[3] do guard(key, check, page[2][n]) end
  return page[1]
end

-- ---- keys

local function check_queue(key, rest)
  local kind, owner = string.match(rest, '^(.*):([^:]+)$')
  if not kind or not call('HGET', P .. 'kinds', kind) then return problem('kind', key, kind or rest) end
  if call('EXISTS', P .. key) == 0 or owner_gone(owner) then return end -- a claim leaves a deleted owner out
  local parked = call('SISMEMBER', P .. 'parked:' .. owner, kind) == 1
  local ready = call('ZSCORE', P .. 'ready:' .. kind, owner)
  if not ready and not parked then
    problem('unready', key, owner, function() owner_rearm(kind, owner) end)
  elseif ready and parked then
    problem('both', key, owner, function() call('SREM', P .. 'parked:' .. owner, kind) end)
  end
end
local function check_parked(key, owner)
  if owner ~= '' and call('SISMEMBER', P .. 'parked', owner) == 0 then
    problem('parked', key, owner, function() call('SADD', P .. 'parked', owner) end)
  end
end
local function check_wakes(key)
  if call('LLEN', P .. key) > 1 then problem('wakes', key, '', function() call('LTRIM', P .. key, 0, 0) end) end
end
local function check_gone(key, ulid)
  if call('EXISTS', job_key(ulid)) == 1 then
    problem('purge_alive', 'job_0' .. ulid, '', function()
      call('DEL', P .. key)
      call('ZREM', P .. 'purge', ulid)
    end)
  elseif not call('ZSCORE', P .. 'purge', ulid) then
    problem('gone', key, '', function() call('ZADD', P .. 'purge', num(NOW), ulid) end)
  end
end
local function check_account(key, owner)
  if not owner_gone(owner) or call('SISMEMBER', P .. 'tombs', owner) == 1 then return end
  if call('EXISTS', P .. 'tokens:' .. owner) == 1 or count(P .. 'i:' .. owner, QUEUED) > 0 then
    problem('tomb_missing', key, '', function() call('SADD', P .. 'tombs', owner) end)
  end
end
-- A token that is good must be one that its user can see, and end.
local function check_token(_, sha)
  local t = call('HMGET', P .. 'token:' .. sha, 'owner', 'prefix', 'gen', 'number')
  local owner, prefix = t[1], t[2]
  if not owner or not prefix or not tonumber(t[4] or nil) then
    if call('EXISTS', P .. 'token:' .. sha) == 1 then problem('token', 'token:' .. string.sub(sha, 1, 8), '') end
    return
  end
  local u = call('HMGET', P .. 'u:' .. owner, 'status', 'gen')
  if not u[1] then return problem('token', 'tokens:' .. owner, prefix) end
  if u[1] == 'deleted' or tonumber(t[3] or 0) < tonumber(u[2] or 0) then return end -- the reaper's
  if not call('ZSCORE', P .. 'tokens:' .. owner, sha .. ':' .. prefix) or not call('ZSCORE', P .. 'prefixes:' .. owner, prefix .. ':' .. sha) then
    problem('token_hidden', 'tokens:' .. owner, prefix, function()
      call('ZADD', P .. 'tokens:' .. owner, t[4], sha .. ':' .. prefix)
      call('ZADD', P .. 'prefixes:' .. owner, 0, prefix .. ':' .. sha)
    end)
  end
end
local function check_grave(key, rest)
  if call('SISMEMBER', P .. 'graves', rest) == 0 then
    problem('grave', key, '', function() call('SADD', P .. 'graves', rest) end)
  end
end
-- A number that is given twice, or to nobody, makes one kind of another. Which of two is right nobody knows.
local function check_kinds(key)
  local all, names, numbers, holders, last = call('HGETALL', P .. key), {}, {}, {}, 0 -- at most 1023
  for n = 1, #all, 2 do
    local number = tonumber(string.match(all[n], '^#(%d+)$'))
    if number then
      names[number], last = all[n + 1], math.max(last, number)
    elseif all[n] ~= '#' then
      number = tonumber(all[n + 1]) or 0
      numbers[all[n]], holders[number], last = number, (holders[number] or 0) + 1, math.max(last, number)
    end
  end
  for name, number in pairs(numbers) do
    if names[number] ~= name then
      local sure = not names[number] and holders[number] == 1 and number >= 1 and number <= 511
      problem('kinds', key, name, sure and function() call('HSET', P .. key, '#' .. num(number), name) end or nil)
    end
  end
  for number, name in pairs(names) do
    if not numbers[name] then
      problem('kinds', key, name, not holders[number] and function() call('HSET', P .. key, name, num(number)) end or nil)
    elseif numbers[name] ~= number then
      problem('kinds', key, name)
    end
  end
  if tonumber(call('HGET', P .. key, '#') or 0) < last then
    problem('kinds', key, '#', last <= 511 and function() call('HSET', P .. key, '#', num(last)) end or nil)
  end
end
local function lasts(ms) -- a key that must go by itself
  return function(key)
    if call('PTTL', P .. key) == -1 then problem('lasts', key, '', function() call('PEXPIRE', P .. key, ms) end) end
  end
end
local KEY = {
  job = function(_, ulid) check_job(ulid) end,
  q = check_queue, parked = check_parked, wake = check_wakes, gone = check_gone, u = check_account, token = check_token,
  grave = check_grave, kinds = check_kinds, d = lasts(172800000), batch = lasts(172800000), worker = lasts(600000),
}
local function check_key(key)
  local head, rest = split(key)
  if KEY[head] then KEY[head](key, rest) end
  if not WALK[head] or (head == 'q' and not string.find(rest, '.:[^:]')) then return end
  local size = call(SETS[WALK[head][1]][2], P .. key)
  if size > room or head == 'ready' then -- of these there are few, and who asks wants their kinds
    walks[#walks + 1] = key
  else
    room = room - size
    local cursor = '0'
    repeat cursor = members(key, cursor, INLINE) until cursor == '0'
  end
end
