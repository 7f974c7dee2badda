-- SPDX-License-Identifier: MIT
-- A page of the members of one key, each compared with what it stands for.
-- KEYS[1] -> work prefix
-- ARGV[1..2] -> as doctor.lua   ARGV[3] -> cursor, 0 = from the beginning   ARGV[4] -> key, behind the prefix
-- Output: as doctor_keys
local next_cursor = '0'
if REPAIR then lift() end
if WALK[split(ARGV[4])] then
  guard(ARGV[4], function() next_cursor = members(ARGV[4], ARGV[3], INLINE) end)
end
return answer(next_cursor, 0)
