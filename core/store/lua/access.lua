-- SPDX-License-Identifier: MIT
-- Only the credential check, with the caller's profile; optionally whether a job may be touched.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (common.lua)   ARGV[5] -> ULID of a job, or ''
-- Output: ok, caller, admin, number, username, email, role, status, created ms | refusal | JOB_NOT_FOUND | JOB_FORBIDDEN
local owner, admin = access()
if not owner then return {admin} end
if ARGV[5] ~= '' then
  local j = job_load(ARGV[5])
  if not j then return {'JOB_NOT_FOUND', owner, admin_flag(admin)} end
  if not admin and j.owner ~= owner then return {'JOB_FORBIDDEN', owner, admin_flag(admin)} end
end
local u = owner ~= '' and call('HMGET', P .. 'u:' .. owner, 'number', 'username', 'email', 'role', 'status', 'created') or {}
return {'ok', owner, admin_flag(admin), u[1] or '0', u[2] or '', u[3] or '', u[4] or '', u[5] or '', u[6] or '0'}
