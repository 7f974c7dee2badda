-- SPDX-License-Identifier: MIT
-- Numbers of the queue, of all users together.
-- KEYS[1] -> work prefix
-- ARGV[1..4] -> access
-- Output: ok, caller, admin, workers alive, workers busy, then per kind: name, queued, processing, completed, failed, cancelled
local owner, admin = access()
if not owner then return {admin} end
local busy = call('ZCOUNT', P .. 'leases', num(NOW), '+inf')
local out = {'ok', owner, admin_flag(admin), call('ZCOUNT', P .. 'workers', num(NOW - 15000), '+inf') + busy, busy}
local all = call('HGETALL', P .. 'kinds')
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) ~= '#' then
    out[#out + 1] = all[i]
    for state = 0, 4 do out[#out + 1] = count(P .. 'i', state, tonumber(all[i + 1])) end
  end
end
return out
