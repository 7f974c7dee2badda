-- SPDX-License-Identifier: MIT
-- The files of a result are about to be removed: the detail without them.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (work.lua)   ARGV[5] -> ULID   ARGV[6] -> revision   ARGV[7] -> detail JSON
-- Output: ok, caller, admin | refusal | JOB_NOT_FOUND | JOB_FORBIDDEN | CONFLICT another revision, or not completed
local j, owner, admin = job_access(ARGV[5])
if not j then return owner end
if j.state ~= COMPLETED or num(j.rev) ~= ARGV[6] then return {'CONFLICT', owner, admin_flag(admin)} end
lift()
if j.files > 0 then
  call('DECRBY', P .. 'bytes', num(j.files))
  call('ZREM', P .. 'large', ARGV[5])
end
j.files = 0
job_seal(ARGV[5], j, ARGV[7])
return {'ok', owner, admin_flag(admin)}
