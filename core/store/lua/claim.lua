-- SPDX-License-Identifier: MIT
-- The next job for a worker, leased.
-- KEYS[1] -> work prefix
-- ARGV[1..] -> as claim (queue.lua)
-- Output: ok, ULID, record | NOT_FOUND
-- States: queued -> processing. Repeating with the same nonce gives the same answer.
local ulid, j = claim(ARGV, 1)
if not ulid then return {'NOT_FOUND'} end
return {'ok', ulid, job_answer(ulid, j)}
