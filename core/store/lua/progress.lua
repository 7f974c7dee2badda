-- SPDX-License-Identifier: MIT
-- What the running attempt says.
-- KEYS[1] -> work prefix
-- ARGV[1] -> ULID  [2] -> fence  [3] -> nonce  [4] -> progress 0..10000  [5] -> detail JSON
-- Output: ok | STALE
local j = lease_check(ARGV[1], ARGV[2], ARGV[3])
if not j then return {'STALE'} end
lift()
j.progress = tonumber(ARGV[4])
job_save(ARGV[1], j, ARGV[5])
return {'ok'}
