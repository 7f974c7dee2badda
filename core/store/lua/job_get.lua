-- SPDX-License-Identifier: MIT
-- One job.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access   ARGV[5] -> ULID
-- Output: ok, caller, admin, record, queue position (0 = none), eta ms (-1 = not known) | refusal | JOB_NOT_FOUND | JOB_FORBIDDEN
local j, owner, admin = job_access(ARGV[5])
if not j then return owner end
local record, place, eta = job_seen(ARGV[5])
return {'ok', owner, admin_flag(admin), record, place, eta}
