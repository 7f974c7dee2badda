-- SPDX-License-Identifier: MIT
-- A new job, all checks included.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (work.lua)  [5] -> ULID  [6] -> kind  [7] -> priority 0..9  [8] -> max attempts
-- ARGV[9] -> most queued jobs of an owner without a limit of their own, -1 = any  [10] -> spec JSON  [11] -> first 32 hex of SHA-256(Idempotency-Key) or ''
-- ARGV[12] -> first 32 hex of the body's hash
-- Output: ok, caller, admin, replayed 0|1, ULID, head, queue position | refusal | QUEUE_FULL | IDEMPOTENCY_REUSED
-- States: none -> queued. Invariant: the first write is one that is refused when memory is full.
local caller, admin, may = access()
if not caller then return {admin} end
local owner = caller ~= '' and caller or '-'
local function answer(ulid, j, replayed)
  local rank = j.state == QUEUED and call('ZRANK', P .. 'q:' .. (kind_name(j.kind) or '') .. ':' .. j.owner, ulid)
  return {'ok', caller, admin_flag(admin), replayed, ulid, head_format(j), rank and rank + 1 or 0}
end
local day = math.floor(NOW / 86400000)
local function idem(d) return P .. 'd:' .. d .. ':' .. owner end
if ARGV[11] ~= '' then
  for d = day, day - 1, -1 do
    local old = call('HGET', idem(d), ARGV[11])
    local ulid, body, at = string.match(old or '', '^(%S+) (%S+) (%S+)$')
    local j = ulid and NOW - tonumber(at) < 86400000 and job_load(ulid)
    if j then
      if body ~= ARGV[12] then return {'IDEMPOTENCY_REUSED', caller, admin_flag(admin)} end
      return answer(ulid, j, 1)
    end
  end
end
local most = may.max_queued or tonumber(ARGV[9])
if most >= 0 and count(P .. 'i:' .. owner, QUEUED) >= most then return {'QUEUE_FULL', caller, admin_flag(admin)} end
local j = {
  state = QUEUED, prio = tonumber(ARGV[7]), kind = 0, attempt = 0, max = tonumber(ARGV[8]), losses = 0, confirmed = 0,
  cancel = 0, progress = 0, rev = 1, fence = 0, nonce = string.rep('0', 16), created = NOW, started = 0, ended = 0,
  owner = owner, spec = #ARGV[10], detail = 0, cost = 0, token = may.number or 0,
}
if not call('SET', job_key(ARGV[5]), head_format(j) .. ARGV[10], 'NX') then return {'CONFLICT', caller, admin_flag(admin)} end
j.kind = kind_number(ARGV[6])
if not j.kind then
  call('DEL', job_key(ARGV[5]))
  return {'BUSY', caller, admin_flag(admin)}
end
call('SETRANGE', job_key(ARGV[5]), 0, head_format(j))
index(ARGV[5], j)
if ARGV[11] ~= '' then
  call('HSET', idem(day), ARGV[11], ARGV[5] .. ' ' .. ARGV[12] .. ' ' .. num(NOW))
  call('EXPIRE', idem(day), 172800)
end
enqueue(ARGV[5], j, ARGV[6])
return answer(ARGV[5], j, 0)
