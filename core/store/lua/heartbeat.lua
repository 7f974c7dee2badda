-- SPDX-License-Identifier: MIT
-- Renew a lease, also one that has expired but was not reaped yet. The first one confirms the attempt.
-- KEYS[1] -> work prefix
-- ARGV[1] -> ULID  [2] -> fence  [3] -> nonce  [4] -> lease ms
-- Output: ok, cancel 0|1 | STALE
-- States: processing -> cancelled when the owner was deleted (answered STALE).
local j = lease_check(ARGV[1], ARGV[2], ARGV[3])
if not j then return {'STALE'} end
if owner_gone(j.owner) then
  call('ZREM', P .. 'leases', ARGV[1])
  finish(ARGV[1], j, CANCELLED)
  slot_free(kind_name(j.kind), j.owner)
  return {'STALE'}
end
lift()
call('ZADD', P .. 'leases', num(NOW + tonumber(ARGV[4])), ARGV[1])
if j.confirmed == 0 then
  j.confirmed = 1
  job_save(ARGV[1], j)
end
return {'ok', j.cancel}
