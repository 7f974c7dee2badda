-- SPDX-License-Identifier: MIT
-- What an operator wants to know of this Redis and of who works on it.
-- KEYS[1] -> work prefix
-- Output: ok, now ms, last round of housekeeping ms (0 = never), idle workers, running jobs with a living lease, version,
--   append-only file 1 | 0, its last write ok | err, maxmemory-policy
local info = call('INFO')
local function of(name) return string.match(info, '\n' .. name .. ':([^\r\n]*)') or '' end
return {'ok', num(NOW), call('HGET', P .. 'reaper', 'last') or '0', call('ZCOUNT', P .. 'workers', num(NOW - 15000), '+inf'),
  call('ZCOUNT', P .. 'leases', num(NOW), '+inf'), of('redis_version'), of('aof_enabled'), of('aof_last_write_status'),
  of('maxmemory_policy')}
