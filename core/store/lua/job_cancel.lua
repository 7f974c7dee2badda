-- SPDX-License-Identifier: MIT
-- Cancel a job.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (work.lua)   ARGV[5] -> ULID
-- Output: ok, caller, admin, record, queue position | refusal | JOB_NOT_FOUND | JOB_FORBIDDEN | JOB_FINAL, caller, admin, record
-- States: queued -> cancelled; processing: the attempt is told, its end makes it cancelled (or completed, if that was first).
local j, owner, admin = job_access(ARGV[5])
if not j then return owner end
local ulid = ARGV[5]
lift()
if j.state == QUEUED then
  dequeue(ulid, j)
  finish(ulid, j, CANCELLED)
elseif j.state == PROCESSING then
  if j.cancel == 0 then
    j.cancel = 1
    job_save(ulid, j)
  end
  local ctl = P .. 'ctl:' .. j.nonce -- names the attempt: no later one can get it
  if call('LLEN', ctl) == 0 then call('RPUSH', ctl, '1') end
  call('EXPIRE', ctl, 60)
else
  return {'JOB_FINAL', owner, admin_flag(admin), job_answer(ulid, j)}
end
return {'ok', owner, admin_flag(admin), job_answer(ulid, j), 0}
