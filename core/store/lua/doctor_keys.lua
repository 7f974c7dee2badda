-- SPDX-License-Identifier: MIT
-- A page of everything there is in the family, each key checked with what belongs to it.
-- KEYS[1] -> work prefix
-- ARGV[1..2] -> as doctor.lua   ARGV[3] -> cursor, 0 = from the beginning
-- Output: ok, cursor (0 = the end), keys, jobs, n, then n keys whose members are too many for this call
--   (doctor_members), then per problem: what (doctor.def), where, detail, 1 = repaired
if REPAIR then lift() end
local page = call('SCAN', ARGV[3], 'MATCH', P .. '*', 'COUNT', PAGE)
for _, key in ipairs(page[2]) do guard(string.sub(key, #P + 1), check_key, string.sub(key, #P + 1)) end
return answer(page[1], #page[2])
