-- SPDX-License-Identifier: MIT
-- A new job, all checks included.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (work.lua)  [5] -> most queued jobs of an owner without a limit of their own, -1 = any
-- ARGV[6] -> first 32 hex of SHA-256(Idempotency-Key) or ''  [7] -> first 32 hex of the body's hash
-- ARGV[8..14] -> as add_job (queue.lua); a batch: again and again
-- Output: ok, caller, admin, replayed 0|1, then per job: ULID, head, queue position, eta ms (-1 = not known) | refusal
--   | QUEUE_FULL | IDEMPOTENCY_REUSED | BUSY too many kinds | CONFLICT a ULID is taken
--   | EXPIRES_PAST, caller, admin, which job (from 0): its deadline is over
-- States: none -> queued. All or none. Invariant: the first write is one that is refused when memory is full.
local FIRST = 8
local caller, admin, may = access()
if not caller then return {admin} end
local owner = caller ~= '' and caller or '-'
local jobs = (#ARGV - FIRST + 1) / JOB_ARGS
local out = {'ok', caller, admin_flag(admin), 0}
local function refuse(why) return {why, caller, admin_flag(admin)} end
local function answer(ulid, j, place, eta)
  out[#out + 1], out[#out + 2], out[#out + 3], out[#out + 4] = ulid, head_format(j), place, eta
end
-- The first answer again, also about a job that has been deleted since.
local function deleted()
  return {state = QUEUED, prio = 0, kind = 0, attempt = 0, max = 1, losses = 0, confirmed = 0, cancel = 0, progress = 0,
    rev = 0, fence = 0, nonce = string.rep('0', 16), created = NOW, started = 0, ended = 0, owner = owner, spec = 0,
    detail = 0, cost = 0, token = 0, files = 0, expires = 0}
end
local day = math.floor(NOW / 86400000)
local function idem(d) return P .. 'd:' .. d .. ':' .. owner end
if ARGV[6] ~= '' then
  for d = day, day - 1, -1 do
    local old = call('HGET', idem(d), ARGV[6])
    local ulid, body, at, rest = string.match(old or '', '^(%S+) (%S+) (%S+) (.+)$')
    if ulid and NOW - tonumber(at) < 86400000 then
      if body ~= ARGV[7] then return refuse('IDEMPOTENCY_REUSED') end
      out[4] = 1
      local all = call('LRANGE', P .. 'batch:' .. ulid, 0, -1) -- at most 500
      for _, row in ipairs(#all > 0 and all or {ulid .. ' ' .. rest}) do
        local one, place, eta = string.match(row, '^(%S+) (%S+) (%S+)$')
        answer(one, job_load(one) or deleted(), tonumber(place), tonumber(eta))
      end
      return out
    end
  end
end
for at = FIRST, #ARGV, JOB_ARGS do
  local expires = tonumber(ARGV[at + 5])
  if expires > 0 and expires <= NOW then return {'EXPIRES_PAST', caller, admin_flag(admin), (at - FIRST) / JOB_ARGS} end
end
local most = may.max_queued or tonumber(ARGV[5])
if most >= 0 and count(P .. 'i:' .. owner, QUEUED) + jobs > most then return refuse('QUEUE_FULL') end
if not kinds_known(ARGV, FIRST + 1, JOB_ARGS) then return refuse('BUSY') end
for at = FIRST, jobs > 1 and #ARGV or 0, JOB_ARGS do -- one alone is told by its own SET
  if call('EXISTS', job_key(ARGV[at])) == 1 then return refuse('CONFLICT') end
end
local made = {}
for at = FIRST, #ARGV, JOB_ARGS do
  local j = add_job(ARGV, at, owner, may.number)
  if not j then return refuse('CONFLICT') end
  made[#made + 1] = {ARGV[at], j}
end
local rows = {}
for _, one in ipairs(made) do
  local place, eta = place_of(one[1], one[2])
  answer(one[1], one[2], place, eta)
  rows[#rows + 1] = num(place) .. ' ' .. num(eta)
end
if ARGV[6] ~= '' then
  call('HSET', idem(day), ARGV[6], ARGV[FIRST] .. ' ' .. ARGV[7] .. ' ' .. num(NOW) .. ' ' .. rows[1])
  call('EXPIRE', idem(day), 172800)
  if jobs > 1 then
    for i, one in ipairs(made) do call('RPUSH', P .. 'batch:' .. ARGV[FIRST], one[1] .. ' ' .. rows[i]) end
    call('EXPIRE', P .. 'batch:' .. ARGV[FIRST], 172800)
  end
end
return out
