-- SPDX-License-Identifier: MIT
-- A job goes back as if it had never been claimed: same place in the queue, no attempt and no loss counted.
-- KEYS[1] -> work prefix
-- ARGV[1] -> ULID  [2] -> fence  [3] -> nonce
-- Output: ok | STALE
-- States: processing -> queued | cancelled (asked for meanwhile; or owner deleted: the reaper may
-- have been through its jobs already)
local j = lease_check(ARGV[1], ARGV[2], ARGV[3])
if not j then return {'STALE'} end
call('ZREM', P .. 'leases', ARGV[1])
local kind = kind_name(j.kind)
if j.cancel == 1 or owner_gone(j.owner) then
  finish(ARGV[1], j, CANCELLED)
  slot_free(kind, j.owner)
  return {'ok'}
end
j.state, j.attempt, j.progress = QUEUED, j.attempt - 1, 0
charge(kind, j.owner, j.cost, -j.cost)
job_save(ARGV[1], j, '')
index(ARGV[1], j)
enqueue(ARGV[1], j, kind)
unbegin(ARGV[1], j)
slot_free(kind, j.owner)
return {'ok'}
