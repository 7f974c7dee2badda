-- SPDX-License-Identifier: MIT
-- An entry about something that happened in the work family.
-- KEYS[1] -> directory prefix
-- ARGV[1] -> actor  [2] -> action  [3] -> target  [4] -> address  [5] -> detail
-- Output: ok
lift()
audit(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return {'ok'}
