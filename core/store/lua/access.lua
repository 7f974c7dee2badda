-- SPDX-License-Identifier: MIT
-- Only the credential check, with the caller's profile; optionally whether a job may be touched.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (work.lua)   ARGV[5] -> ULID of a job, or ''
-- Output: ok, caller, admin, account (common.lua; all empty without one) | refusal | JOB_NOT_FOUND | JOB_FORBIDDEN
local owner, admin
if ARGV[5] ~= '' then
  local j
  j, owner, admin = job_access(ARGV[5])
  if not j then return owner end
else
  owner, admin = access()
  if not owner then return {admin} end
end
return user_row({'ok', owner, admin_flag(admin)}, owner, P .. 'u:' .. owner)
