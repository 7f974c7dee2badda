-- SPDX-License-Identifier: MIT
-- A new job like one that failed or was cancelled, for the same owner.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (work.lua)   ARGV[5] -> ULID   ARGV[6] -> ULID of the new one   ARGV[7] -> its spec JSON, '' = as it was
-- Output: ok, caller, admin, replayed 0, ULID, head, queue position, eta ms | refusal | JOB_NOT_FOUND | CONFLICT | USER_NOT_FOUND
-- States: none -> queued; the old one stays as it is.
local j, owner, admin = job_access(ARGV[5])
if not j then return owner end
local function refuse(why) return {why, owner, admin_flag(admin)} end
if j.state ~= FAILED and j.state ~= CANCELLED then return refuse('CONFLICT') end
if owner_gone(j.owner) then return refuse('USER_NOT_FOUND') end
local spec = ARGV[7] ~= '' and ARGV[7] or call('GETRANGE', job_key(ARGV[5]), HEAD, HEAD + j.spec - 1)
local new = add_job({ARGV[6], kind_name(j.kind), j.prio, j.max, '0', '0', spec}, 1, j.owner, 0)
if not new then return refuse('CONFLICT') end
local place, eta = place_of(ARGV[6], new)
return {'ok', owner, admin_flag(admin), 0, ARGV[6], head_format(new), place, eta}
