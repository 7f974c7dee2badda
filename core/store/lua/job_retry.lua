-- SPDX-License-Identifier: MIT
-- A new job like one that failed or was cancelled, for the same owner.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access (work.lua)   ARGV[5] -> ULID   ARGV[6] -> ULID of the new one   ARGV[7] -> its spec JSON
-- ARGV[8] -> revision of the old one   ARGV[9] -> its detail JSON from now on
-- Output: ok, caller, admin, replayed 0, ULID, head, queue position, eta ms | refusal | JOB_NOT_FOUND | USER_NOT_FOUND
--   | NOT_RETRIABLE neither failed nor cancelled | CONFLICT another revision, or the new ULID is taken
-- States: none -> queued; the old one stays in its state. Invariant: the first write is one that is refused when memory is full.
local j, owner, admin = job_access(ARGV[5])
if not j then return owner end
local function refuse(why) return {why, owner, admin_flag(admin)} end
if owner_gone(j.owner) then return refuse('USER_NOT_FOUND') end
if j.state ~= FAILED and j.state ~= CANCELLED then return refuse('NOT_RETRIABLE') end
if num(j.rev) ~= ARGV[8] then return refuse('CONFLICT') end
local new = add_job({ARGV[6], kind_name(j.kind), j.prio, j.max, '0', '0', ARGV[7]}, 1, j.owner, 0)
if not new then return refuse('CONFLICT') end
job_seal(ARGV[5], j, ARGV[9])
local place, eta = place_of(ARGV[6], new)
return {'ok', owner, admin_flag(admin), 0, ARGV[6], head_format(new), place, eta}
