-- SPDX-License-Identifier: MIT
-- One job.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access   ARGV[5] -> ULID
-- Output: ok, caller, admin, record, queue position (0 = none) | refusal | JOB_NOT_FOUND | JOB_FORBIDDEN
-- A queued job of a deleted account reads as cancelled until the reaper has come by.
local owner, admin = access()
if not owner then return {admin} end
local j = job_load(ARGV[5])
if not j then return {'JOB_NOT_FOUND', owner, admin_flag(admin)} end
if not admin and j.owner ~= owner then return {'JOB_FORBIDDEN', owner, admin_flag(admin)} end
local rank = j.state == QUEUED and call('ZRANK', P .. 'q:' .. kind_name(j.kind) .. ':' .. j.owner, ARGV[5])
local record = job_answer(ARGV[5], j)
if j.state == QUEUED and owner_gone(j.owner) then
  j.state, rank = CANCELLED, nil
  record = head_format(j) .. string.sub(record, HEAD + 1)
end
return {'ok', owner, admin_flag(admin), record, rank and rank + 1 or 0}
