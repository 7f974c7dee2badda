-- SPDX-License-Identifier: MIT
-- Are workers alive?
-- KEYS[1] -> work prefix
-- Output: ok, alive, busy. Alive: claimed in vain within 15 s, or holds a living lease.
local busy = call('ZCOUNT', P .. 'leases', num(NOW), '+inf')
return {'ok', call('ZCOUNT', P .. 'workers', num(NOW - 15000), '+inf') + busy, busy}
