-- SPDX-License-Identifier: MIT
-- An attempt failed: queued again after a backoff, or final. Claims the next job in the same trip when asked to.
-- KEYS[1] -> work prefix
-- ARGV[1] -> ULID  [2] -> fence  [3] -> nonce  [4] -> detail JSON  [5] -> 1 = may be retried  [6] -> jitter 0..1000
-- ARGV[7] -> 1 = claim: [8..] as claim.lua
-- Output: ok [, ULID, record] | STALE
-- States: processing -> queued (scheduled) | failed. The same lease again gets the same answer.
local j = job_load(ARGV[1])
if not j or num(j.fence) ~= ARGV[2] or j.nonce ~= ARGV[3] then return {'STALE'} end
if j.state == PROCESSING then
  call('ZREM', P .. 'leases', ARGV[1])
  local kind = kind_name(j.kind)
  charge_measured(kind, j)
  local tries = j.attempt - j.losses
  if ARGV[5] == '1' and j.cancel == 0 and tries < j.max and not owner_gone(j.owner) then
    local backoff = math.min(2 ^ math.min(tries - 1, 16) * 1000, 300000) * (0.75 + tonumber(ARGV[6]) / 2000)
    j.state, j.progress = QUEUED, 0
    job_save(ARGV[1], j, ARGV[4])
    index(ARGV[1], j)
    call('ZADD', P .. 'scheduled', num(NOW + backoff), ARGV[1])
  else
    finish(ARGV[1], j, j.cancel == 1 and CANCELLED or FAILED, ARGV[4])
  end
  slot_free(kind, j.owner)
elseif j.state == COMPLETED then
  return {'STALE'}
end
if ARGV[7] ~= '1' then return {'ok'} end
local ulid, k = claim(ARGV, 8)
if not ulid then return {'ok'} end
return {'ok', ulid, job_answer(ulid, k)}
