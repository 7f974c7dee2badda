-- SPDX-License-Identifier: MIT
-- Is somebody told of the work of a kind? Nobody is for a moment, between a worker's token and its claim: who asks looks
-- more than once.
-- KEYS[1] -> work prefix
-- ARGV[1..2] -> as doctor.lua   ARGV[3] -> kind   ARGV[4] -> its max_workers, -1 = no limit, -2 = not configured here
-- Output: as doctor_keys
if REPAIR then lift() end
guard('ready:' .. ARGV[3], function()
  local number, max = tonumber(call('HGET', P .. 'kinds', ARGV[3])), tonumber(ARGV[4])
  if not number or call('EXISTS', P .. 'ready:' .. ARGV[3]) == 0 or call('LLEN', P .. 'wake:' .. ARGV[3]) > 0 then return end
  if max == -2 then max = 1 end
  if max < 0 or count(P .. 'i', PROCESSING, number) < max then
    problem('wake', 'ready:' .. ARGV[3], '', function() wake(ARGV[3]) end)
  end
end)
return answer('0', 0)
