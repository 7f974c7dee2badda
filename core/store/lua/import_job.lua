-- SPDX-License-Identifier: MIT
-- A job from another system.
-- KEYS[1] -> work prefix
-- ARGV[1] -> ULID  [2] -> kind  [3] -> owner, '' = none  [4] -> state, not processing  [5] -> priority  [6] -> attempts begun
-- ARGV[7] -> most attempts  [8] -> created ms  [9] -> started ms  [10] -> ended ms  [11] -> spec JSON  [12] -> detail JSON
-- ARGV[13] -> bytes of its files
-- Output: ok, 1 made | 0 there already, or was and is deleted | USER_NOT_FOUND | BUSY too many kinds
-- States: none -> queued | completed | failed | cancelled
local ulid, owner = ARGV[1], ARGV[3] ~= '' and ARGV[3] or '-'
local status = owner ~= '-' and call('HGET', P .. 'u:' .. owner, 'status')
if owner ~= '-' and (not status or status == 'deleted') then return {'USER_NOT_FOUND'} end
if call('EXISTS', job_key(ulid)) == 1 or call('SISMEMBER', P .. 'brought', ulid) == 1 then return {'ok', 0} end
local j = {
  state = tonumber(ARGV[4]), prio = tonumber(ARGV[5]), kind = 0, attempt = tonumber(ARGV[6]), max = tonumber(ARGV[7]),
  losses = 0, confirmed = 0, cancel = 0, progress = 0, rev = 1, fence = 0, nonce = string.rep('0', 16),
  created = tonumber(ARGV[8]), started = tonumber(ARGV[9]), ended = tonumber(ARGV[10]), owner = owner, spec = #ARGV[11],
  detail = #ARGV[12], cost = 0, token = 0, files = 0, expires = 0,
}
j.files = tonumber(ARGV[13])
if j.state == COMPLETED then j.progress = 10000 end
-- Names that nobody here has configured must not use up the numbers that are left for those who come later.
if tonumber(call('HGET', P .. 'kinds', '#') or 0) >= 256 and not call('HGET', P .. 'kinds', ARGV[2]) then return {'BUSY'} end
j.kind = kind_number(ARGV[2])
if not j.kind then return {'BUSY'} end
call('SADD', P .. 'brought', ulid)
call('SET', job_key(ulid), head_format(j) .. ARGV[11] .. ARGV[12])
index(ulid, j)
if j.state == QUEUED then
  enqueue(ulid, j, ARGV[2])
else
  call('ZADD', P .. 'ended', num(NOW), ulid) -- its time here begins now
  if j.files > 0 then
    call('INCRBY', P .. 'bytes', num(j.files))
    call('ZADD', P .. 'large', num(NOW), ulid)
  end
end
return {'ok', 1}
