-- SPDX-License-Identifier: MIT
-- An attempt succeeded; its result is the job's. Claims the next job in the same trip when asked to.
-- KEYS[1] -> work prefix
-- ARGV[1] -> ULID  [2] -> fence  [3] -> nonce  [4] -> detail JSON  [5] -> bytes of its files
-- ARGV[6] -> 1 = claim: [7..] as claim.lua
-- Output: ok [, ULID, record] | STALE
-- States: processing -> completed. The same lease again gets the same answer. The first write lifts the memory check.
local j = job_load(ARGV[1])
if not j or num(j.fence) ~= ARGV[2] or j.nonce ~= ARGV[3] or (j.state ~= PROCESSING and j.state ~= COMPLETED) then
  return {'STALE'}
end
if j.state == PROCESSING then
  call('ZREM', P .. 'leases', ARGV[1])
  local kind = kind_name(j.kind)
  j.files = tonumber(ARGV[5])
  finish(ARGV[1], j, COMPLETED, ARGV[4])
  charge_measured(kind, j)
  slot_free(kind, j.owner)
end
if ARGV[6] ~= '1' then return {'ok'} end
local ulid, k = claim(ARGV, 7)
if not ulid then return {'ok'} end
return {'ok', ulid, job_answer(ulid, k)}
