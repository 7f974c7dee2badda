-- SPDX-License-Identifier: MIT
-- Delete a job: nobody sees it from here on; files and record go when a process purges (reap.lua).
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (work.lua)   ARGV[5] -> ULID
-- Output: ok, caller, admin, record as it was, 0 | refusal | JOB_NOT_FOUND | JOB_FORBIDDEN | JOB_RUNNING
-- States: queued | completed | failed | cancelled -> gone
local j, owner, admin = job_access(ARGV[5])
if not j then return owner end
if j.state == PROCESSING then return {'JOB_RUNNING', owner, admin_flag(admin)} end
lift()
local record = job_answer(ARGV[5], j)
if j.state == QUEUED then dequeue(ARGV[5], j) end
bury(ARGV[5], j)
return {'ok', owner, admin_flag(admin), record, 0}
